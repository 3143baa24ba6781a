"""The trials of a search in their journal: cut, repeated, tried again, and read by Optuna itself."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from vision.cli.train.search.study import SAMPLERS, Search

SPACE = {"lr": FloatDistribution(1e-4, 1e-1, log=True), "optimizer": CategoricalDistribution(["a", "b"])}


def search(folder, *, sampler: str = "tpe", seed: int = 0, space=SPACE) -> Search:
    return Search(folder / "sweep" / "optuna.journal", space, sampler=sampler, seed=seed)


def make(one: Search, trials: int) -> list[dict[str, Any]]:
    """Make trials one by one; their parameters."""
    while batch := one.start(1, n_trials=trials):
        for trial in batch:
            one.end(trial, None if trial.number == 2 else -abs(trial.params["lr"] - 0.01))
    return [trial.params for trial in one.trials]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_is_cut_makes_the_same_trials(sampler, tmp_path):
    whole = make(search(tmp_path / "whole", sampler=sampler), 14)
    for trials in (1, 5, 13):
        make(search(tmp_path / "cut", sampler=sampler), trials)
    begun = search(tmp_path / "cut", sampler=sampler).start(1, n_trials=14)
    assert [trial.number for trial in begun] == [13]  # a trial that a kill leaves running is taken up
    assert make(search(tmp_path / "cut", sampler=sampler), 14) == whole
    other_seed = make(search(tmp_path / "other", sampler=sampler, seed=1), 3)
    assert other_seed[0] != whole[0]


def test_tpe_finds_more_than_chance(tmp_path):
    found = {name: make(search(tmp_path / name, sampler=name), 40)[20:] for name in ("tpe", "random")}
    near = {name: sum(0.003 < trial["lr"] < 0.03 for trial in trials) for name, trials in found.items()}
    assert near["tpe"] > 1.5 * near["random"], near


def test_optuna_reads_the_journal(tmp_path):
    one = search(tmp_path)
    make(one, 6)
    backend = JournalFileBackend(str(tmp_path / "sweep" / "optuna.journal"))
    study = optuna.load_study(study_name="vision", storage=JournalStorage(backend))
    assert study.best_value == max(trial.value or 0 for trial in one.finished)
    assert [trial.state.name for trial in study.trials].count("FAIL") == 1


def test_a_line_that_was_cut_is_removed(tmp_path):
    one = search(tmp_path)
    parameters = make(one, 3)
    journal = tmp_path / "sweep" / "optuna.journal"
    content = journal.read_bytes()
    journal.write_bytes(content + content[:40])
    again = search(tmp_path)
    assert [trial.params for trial in again.trials] == parameters
    assert make(again, 4)[:3] == parameters and len(search(tmp_path).trials) == 4


def test_a_failed_trial_is_tried_again_once_and_does_not_count_twice(tmp_path):
    one = search(tmp_path)
    make(one, 4)
    one.retry_failed()
    one.retry_failed()
    [again] = one.running
    assert (again.number, one.first_like(again), one.left(4)) == (4, 2, 0)
    assert again.params == one.trials[2].params
    one.end(again, 0.5)
    one.end(again, 0.6)  # another process was faster
    assert one.trials[4].value == 0.5
    one.retry_failed()
    assert one.running == [] and one.start(1, n_trials=4) == []


def test_another_space_is_refused_where_optuna_cannot_join_them(tmp_path):
    make(search(tmp_path), 2)
    wider = {**SPACE, "lr": FloatDistribution(1e-6, 1, log=True)}
    assert len(make(search(tmp_path, space=wider), 3)) == 3
    other = {**SPACE, "optimizer": CategoricalDistribution(["a", "c"])}
    with pytest.raises(ValueError, match=r"optimizer had other values when the search in .* began; give"):
        search(tmp_path, space=other).check_space()
    search(tmp_path, space=wider).check_space()
    assert len(search(tmp_path).trials) == 3


def test_processes_that_end_a_trial_at_the_same_time(tmp_path):
    begun = search(tmp_path).start(20, n_trials=20)
    processes = [search(tmp_path) for _ in range(4)]
    barrier = Barrier(4)

    def end_all(one: Search) -> None:
        for trial in begun:
            barrier.wait(timeout=30)
            one.end(trial, 0.5)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(end_all, processes))
    assert [trial.value for trial in search(tmp_path).finished] == [0.5] * 20
