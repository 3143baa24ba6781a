"""`vision train -m hydra/sweeper=optuna`: whole searches in real processes, cut, shared, and refused."""

import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from statistics import fmean

import optuna
import pytest
from commands import TINY, VISION
from launchers import launched_by
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

SWEEP = Path("outputs/tiny/runs")
CNN = ["train", "-m", *TINY, "model=cnn", "train_size=40", "hydra/sweeper=optuna"]
LR = "training.lr=tag(log,interval(1e-4,1e-1))"
SPACE = [LR, "training.optimizer=adamw,sgd"]


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    backend = JournalFileBackend(str(folder / SWEEP / "optuna.journal"))
    return optuna.load_study(study_name="vision", storage=JournalStorage(backend)).trials


def values(folder: Path) -> list[tuple[dict, float | None]]:
    return [(trial.params, trial.value) for trial in trials(folder)]


def record(folder: Path, trial: int, seed: int = 0) -> dict:
    return json.loads((folder / SWEEP / f"trial-{trial:04d}/CNN/n40/s{seed}/result.json").read_text())


def results_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("result.json")}


@pytest.mark.slow
def test_a_search_is_a_sweep_judged_by_validation_accuracy(tmp_path, vision):
    search = [*CNN, *SPACE, "hydra.sweeper.n_trials=3", "seed=0,1"]
    done = vision(tmp_path, *search)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 trials finished" in done.stderr and "[6/6" in done.stderr
    for trial in trials(tmp_path):
        two = [record(tmp_path, trial.number, seed) for seed in (0, 1)]
        assert trial.value == fmean(one["val_accuracy"] for one in two)
        assert {one["settings"]["training.lr"] for one in two} == {trial.params["training.lr"]}
    best = max(trials(tmp_path), key=lambda trial: trial.value or 0)
    lr, optimizer = best.params["training.lr"], best.params["training.optimizer"]
    assert done.stdout == f"training.lr={lr} training.optimizer={optimizer}\n"
    before = results_of(tmp_path)
    again = vision(tmp_path, *search)
    assert again.returncode == 0 and "3 trials, 3 ended before, 0 to do" in again.stderr
    assert again.stdout == done.stdout and results_of(tmp_path) == before
    assert "6 finished, 0 failed" in vision(tmp_path, "status", str(SWEEP)).stdout
    chosen = ["--choose", "training.lr,training.optimizer"]
    assert vision(tmp_path, "plot", str(SWEEP), *chosen).returncode == 0
    assert vision(tmp_path, "report", str(SWEEP), *chosen).returncode == 0
    with_other_steps = vision(tmp_path, *search, "training.steps=7")
    assert with_other_steps.returncode == 2
    assert "holds a finished run of another config" in with_other_steps.stderr
    with_other_choices = vision(tmp_path, *CNN, LR, "training.optimizer=adamw,lion")
    assert with_other_choices.returncode == 2 and len(with_other_choices.stderr.splitlines()) == 1
    assert "training.optimizer had other values when the search in" in with_other_choices.stderr
    shutil.rmtree(tmp_path / SWEEP / "trial-0001")
    assert vision(tmp_path, *search).returncode == 0
    kept = ("test_accuracy", "val_loss", "files_sha256")
    assert [json.loads(before[tmp_path / SWEEP / "trial-0001/CNN/n40/s0/result.json"])[k] for k in kept] == [
        record(tmp_path, 1)[name] for name in kept
    ]


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_and_finds_the_same(tmp_path, vision):
    search = [*CNN, *SPACE, "hydra.sweeper.n_trials=13", "training.steps=40"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    with subprocess.Popen([VISION, *search], cwd=killed, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 200
        while len(list(killed.rglob("trial-*/CNN/n40/s0/result.json"))) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    before = results_of(killed)
    assert 4 <= len(before) < 13
    resumed = vision(killed, *search)
    assert resumed.returncode == 0 and "13 of 13 trials finished" in resumed.stderr, resumed.stderr
    assert {path: results_of(killed)[path] for path in before} == before, "no finished trial is run again"
    never_cut = vision(whole, *search)
    assert never_cut.returncode == 0 and never_cut.stdout == resumed.stdout
    assert values(killed) == values(whole) and len(values(whole)) == 13


@pytest.mark.slow
def test_trials_at_once_by_a_launcher_and_failures_that_are_tried_again(tmp_path, vision):
    space = ["training.lr=choice(0.001,1e30)", "training.clip_grad=null"]
    search = [*CNN, *space, "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", *launched_by("local")]
    done = vision(tmp_path, *search)
    assert done.returncode == 0, done.stderr
    assert "NonFiniteLoss" in done.stderr and done.stdout == "training.lr=0.001\n"
    states = {trial.params["training.lr"]: trial.state for trial in trials(tmp_path)}
    assert states == {"0.001": TrialState.COMPLETE, "1e+30": TrialState.FAIL}
    assert len(list(tmp_path.rglob("result.json"))) == 1, "a trial that is drawn again is not run again"
    again = vision(tmp_path, *search, "retry_failed=true")
    assert again.returncode == 0 and "NonFiniteLoss" in again.stderr
    assert len(trials(tmp_path)) > 4


@pytest.mark.slow
def test_two_processes_share_a_search(tmp_path):
    search = [*CNN, LR, "hydra.sweeper.n_trials=8", "hydra.sweeper.n_jobs=2", "training.steps=100"]
    processes = [
        subprocess.Popen([VISION, *search], cwd=tmp_path, text=True, stderr=subprocess.PIPE) for _ in range(2)
    ]
    errors = [process.communicate(timeout=250)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    # Not those that are "finished before", by the other process.
    trained = [re.findall(r": test accuracy \S+ after ", text) for text in errors]
    assert sum(map(len, trained)) == 8, "each trial is run once"
    assert {trial.state for trial in trials(tmp_path)} == {TrialState.COMPLETE}
    assert len(trials(tmp_path)) == 8


@pytest.mark.parametrize(
    ("words", "told"),
    {
        ("training.lr=0.1",): "searches settings with several values, and there is none",
        (LR, "data.val_fraction=0"): "hydra/sweeper=optuna needs validation images; there are none",
        (LR, "hydra.sweeper.sampler=nosuch"): "sampler must be one of tpe, gp, random, got nosuch",
        (LR, "hydra.sweeper.n_trials=0"): "n_trials must be an integer from 1 to 100000, got 0",
        (LR, "hydra.sweeper.n_trials=many"): "hydra.sweeper.n_trials must be an integer from 1 to",
        (LR, "hydra.sweeper.n_jobs=1.5"): "hydra.sweeper.n_jobs must be an integer from 1 to 10000, got 1.5",
        (LR, "hydra.sweeper.seed=-1"): "hydra.sweeper.seed must be an integer from 0 to",
        (LR, "hydra.sweeper.seed=null"): "hydra.sweeper.seed must be an integer from 0",
        ("training.lr=interval(1e-4,1e40)",): "training.lr must be from 1e-12 to 1e+30, got 1e+40",
        ("training.optimizer=adamw,nosuch",): "training.optimizer",
        ("model=vit,nosuch",): "model=nosuch is not there; choose one of",
        ("training.momentun=interval(0,1)",): "there is no setting training.momentun",
    }.items(),
)
def test_what_cannot_be_searched_is_told_and_nothing_is_written(tmp_path, vision, words, told):
    refused = vision(tmp_path, *CNN, *words)
    assert refused.returncode == 2 and told in refused.stderr, refused.stderr
    assert len(refused.stderr.splitlines()) == 1 and not list(tmp_path.iterdir()), refused.stderr


def test_a_search_needs_m_and_the_package(tmp_path, vision):
    refused = vision(tmp_path, *[word for word in CNN if word != "-m"], "training.lr=0.1")
    assert refused.returncode == 2
    assert refused.stderr == "vision train: hydra/sweeper=optuna searches over many runs: add -m\n"
