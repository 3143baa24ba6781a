"""The order in which the runs of a sweep start, and the time that is left."""

import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from vision import results
from vision.checks import check_together
from vision.cli.train.run_order import group_by_shared_data, longest_first
from vision.cli.train.sweep_runs import SweepRun, SweepRuns
from vision.config import ModelConfig, RunConfig


def make_runs(config: RunConfig, **changes) -> list[SweepRun]:
    names = ("ViT", "CNN")
    return [
        SweepRun([name, str(seed), str(size)], replace(config, seed=seed, data=data, model=model, **changes))
        for seed, size, name in product((0, 1), (6, 8), names)
        for data in [replace(config.data, img_size=size, subset_seed=seed)]
        for model in [ModelConfig(name="field_cnn", label=f"{name}-{size}")]
    ]


def test_runs_that_share_data_and_model_follow_one_another(small_run):
    ordered = group_by_shared_data(make_runs(small_run))
    assert [run.overrides for run in ordered] == [
        *(["ViT", "0", "6"], ["ViT", "1", "6"], ["CNN", "0", "6"], ["CNN", "1", "6"]),
        *(["ViT", "0", "8"], ["ViT", "1", "8"], ["CNN", "0", "8"], ["CNN", "1", "8"]),
    ]


def test_the_longest_run_starts_first(small_run):
    def with_steps(steps: int, **kwargs) -> RunConfig:
        model = replace(small_run.model, kwargs=small_run.model.kwargs | kwargs)
        return replace(small_run, model=model, training=replace(small_run.training, steps=steps))

    configs = [with_steps(10), with_steps(40), with_steps(10, depth=8)]
    runs = [SweepRun([str(number)], config) for number, config in enumerate(configs)]
    for run, needed in zip(runs, check_together(configs), strict=True):
        run.work = needed.work
    assert runs[1].work == 4 * runs[0].work and runs[2].work > runs[1].work
    assert [run.overrides for run in longest_first(runs)] == [["2"], ["1"], ["0"]]


def test_a_run_waits_for_the_one_whose_weights_it_starts_with(small_run):
    parent = SweepRun(["parent"], small_run)
    model = replace(small_run.model, label="Child", init_from=str(parent.folder))
    child = SweepRun(["child"], replace(small_run, model=model))
    runs = SweepRuns([child, parent])
    assert runs.wait_for_ready() == [parent]
    parent.folder.mkdir(parents=True)
    (parent.folder / results.RESULT).touch()
    assert runs.wait_for_ready() == [child]


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep of two models, whose runs have 1 and 3 units of work."""
    work = {tmp_path / f"{model}/n{size}/s0": size / 10 for model in "AB" for size in (10, 30)}
    results.write_plan(tmp_path, work, whole=True, work=work)
    return tmp_path


def finish(run: Path, seconds: float) -> None:
    run.mkdir(parents=True)
    (run / results.RESULT).write_text(f'{{"train_seconds": {seconds}}}')


def test_the_time_left_follows_from_the_runs_that_have_finished(sweep):
    left = results.TimeLeft([sweep], started=time.time() - 5)
    assert left.seconds() is None
    finish(sweep / "A/n10/s0", 10)  # at once with another process: 10 s of training in 5 s
    assert left.seconds() == pytest.approx((30 + 10 + 30) / 2, rel=0.05), "10 s for each unit"
    finish(sweep / "B/n10/s0", 2)
    seconds = left.seconds()
    assert seconds == pytest.approx((30 + 6) * 5 / 12, rel=0.05), "each model at its own speed"
    (sweep / "A/n30/s0").mkdir(parents=True)
    (sweep / "A/n30/s0" / results.FAILURE).write_text("{}")
    assert left.seconds() == pytest.approx(6 * 5 / 12, rel=0.05)
    finish(sweep / "B/n30/s0", 6)
    assert left.seconds() == 0
