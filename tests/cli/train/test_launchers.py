"""Sweeps through launchers, each in real processes: Slurm's, and several for each GPU."""

import importlib.util
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from commands import FAULTY, TINY, VISION
from launchers import launched_by

from vision.cli.train.launchers.gpu_processes import fitting, make_slots, visible_gpus
from vision.cli.train.launchers.needs import NEEDED, check_plugins

RUNS = Path("outputs/tiny/runs")
CNN = ["train", "-m", *TINY, "model=cnn", "train_size=20"]


def wait_for(folder: Path, pattern: str) -> None:
    deadline = time.monotonic() + 120
    while not [path for path in folder.rglob(pattern) if path.stat().st_size]:
        assert time.monotonic() < deadline, f"{pattern} did not appear"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_preempted_slurm_job_is_queued_again_and_continues(tmp_path):
    sweep = [*CNN, "seed=0,1", "training.steps=4000", "training.num_evaluations=100"]
    sweep += launched_by("submitit_slurm")
    with subprocess.Popen([VISION, *sweep], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_for(tmp_path, "s0.partial-*/metrics.jsonl")
        [array] = {path.name.partition("_")[0] for path in (tmp_path / RUNS / ".submitit").glob("*_0")}
        subprocess.run(["scancel", "--signal=USR2", f"{array}_0"], check=True)
        errors = process.communicate(timeout=200)[1]
    assert process.returncode == 0 and "2 of 2 runs finished" in errors, errors
    records = [json.loads((tmp_path / RUNS / f"CNN/n20/s{seed}/result.json").read_text()) for seed in (0, 1)]
    [cut] = records[0]["continued_after"]
    assert 0 < cut < 4000 and records[1]["continued_after"] == []
    assert not list(tmp_path.rglob("*.partial-*")) and not list(tmp_path.rglob(".s0.checkpoint"))


@pytest.mark.slow
def test_processes_of_the_gpu_launcher_keep_their_gpu_and_their_data(tmp_path, vision):
    for module in ("faulty.py", "telling.py"):
        shutil.copy(Path(__file__).parents[1] / module, tmp_path)
    sweep = ["train", "-m", *FAULTY, "+model.kwargs.how=exits,works,works_too,works_again"]
    sweep += ["model.name=telling", "data.source=telling", "data.module=telling", "model.module=telling"]
    done = vision(tmp_path, *sweep, *launched_by("gpu"), OMP_NUM_THREADS="9")
    assert done.returncode == 1 and "3 of 4 runs finished" in done.stderr, done.stderr
    error = "RunDied: its process ended with exit status 3"
    assert f"failed: {RUNS}/exits/n20/s0: {error}" in done.stderr
    trained, read = ((tmp_path / name).read_text().splitlines() for name in ("trained", "read"))
    processes = dict(line.split(" ", 1) for line in trained)
    assert len(processes) < len(trained) == 4, "one of them trained two models"
    assert set(trained) == {f"{pid} {what}" for pid, what in processes.items()}, "none changed its GPU"
    assert {what.split()[0] for what in processes.values()} == {"3", "5"}
    threads = max(1, len(os.sched_getaffinity(0)) // 2)
    assert {tuple(what.split()[1:]) for what in processes.values()} == {(str(threads), "0.9500")}
    assert sorted(line.split()[0] for line in read if line.split()[1] in "35") == sorted(processes)


def test_gpus_are_given_out_in_turn_with_equal_shares(monkeypatch):
    slots = make_slots(["0", "7"], 3)
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["0", "7", "0", "7", "0", "7"]
    assert {float(slot["VISION_GPU_SHARE"]) for slot in slots} == {0.3167}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-8c3b,")
    assert visible_gpus() == ["2", "GPU-8c3b"]


def test_memory_and_cores_decide_how_many_processes_a_gpu_gets(tmp_path, monkeypatch):
    asked = tmp_path / "nvidia-smi"
    asked.write_text('#!/bin/sh\ncase "$*" in *memory*) echo 40960;; *) printf "0\\n1\\n";; esac\n')
    asked.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    assert visible_gpus() == ["0", "1"]
    assert fitting(["0", "1"], memory_gb=10) == 4, "40 GiB are 42.9 GB"
    assert fitting(["0", "1"], memory_gb=0.1) == 32, "64 cores for 2 GPUs"
    assert fitting(["0", "1"], memory_gb=100) == 1


def _skip_without(settings: tuple[str, ...]) -> None:
    needed = NEEDED.get(settings[0])
    if needed and importlib.util.find_spec(needed[0].split(".")[0]) is None:
        pytest.skip(f"{needed[0]} is not installed")


@pytest.mark.slow
def test_slurm_is_asked_before_the_sweep(tmp_path, vision):
    slurm = launched_by("submitit_slurm")
    refused = vision(tmp_path, *CNN, *slurm, "hydra.launcher.partition=nosuch")
    assert refused.returncode == 2 and "Slurm would not accept the jobs: " in refused.stderr
    assert "invalid partition" in refused.stderr and len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    {
        ("hydra/launcher=gpu",): "found no GPU in CUDA_VISIBLE_DEVICES or by nvidia-smi; give",
        ("hydra/launcher=gpu", "hydra.launcher.gpus=[0]", "hydra.launcher.per_gpu=0"): (
            "hydra.launcher.per_gpu must be an integer from 1 to 1024, got 0"
        ),
        ("hydra/launcher=gpu", "hydra.launcher.gpus=[0]", "hydra.launcher.memory_gb=0"): (
            "hydra.launcher.memory_gb must be a number above 0, got 0"
        ),
        ("hydra/launcher=gpu", "hydra.launcher.gpus=5"): "gpus must be a list of GPUs, such as [0,1], got 5",
        ("hydra/launcher=gpu", "hydra.launcher.gpus=[0]", "hydra.launcher.per_gpu=abc"): (
            "hydra.launcher.per_gpu must be an integer from 1 to 1024, got abc"
        ),
        (
            "hydra/launcher=local",
            "hydra.launcher.n_jobs=0",
        ): "from -1024 to 1024 other than 0, got 0",
        ("hydra/launcher=local", "hydra.launcher.n_jobs=1000000"): "hydra.launcher.n_jobs must be an integer",
        ("hydra/launcher=ray", "hydra.launcher.num_cpus=-1"): "num_cpus must be a number above 0, got -1",
        ("hydra/launcher=ray", "hydra.launcher.num_gpus=abc"): "num_gpus must be a number from 0, got abc",
        ("hydra/launcher=ray", "hydra.launcher.num_cpus=1000"): "hydra.launcher.num_cpus=1000 is more than",
        ("hydra/launcher=ray", "hydra.launcher.num_gpus=64"): "hydra.launcher.num_gpus=64 is more than",
        ("hydra/launcher=ray", "hydra.launcher.address=localhost:1"): (
            "hydra.launcher.address=localhost:1 does not answer: "
        ),
        ("hydra/launcher=ray", "hydra.launcher.address=nosuch"): (
            "hydra.launcher.address must be local, auto, or HOST:PORT, got nosuch"
        ),
        ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=abc"): "timeout_min must be an integer",
        ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=-1"): "timeout_min must be an integer",
        ("hydra/launcher=submitit_slurm", "hydra.launcher.mem_gb=abc"): "mem_gb must be a number above 0",
        ("hydra/launcher=submitit_slurm", "hydra.launcher.tasks_per_node=0"): "must be an integer from 1",
        ("hydra.sweeper.max_batch_size=0",): "hydra.sweeper.max_batch_size must be an integer from 1, got 0",
        ("hydra.sweeper.max_batch_size=abc",): "max_batch_size must be an integer from 1, got abc",
    }.items(),
)
def test_settings_that_cannot_be_launched_are_refused_before_the_sweep(tmp_path, vision, settings, told):
    _skip_without(settings)
    refused = vision(tmp_path, *CNN, *settings, CUDA_VISIBLE_DEVICES="")
    assert refused.returncode == 2 and told in refused.stderr, refused.stderr
    assert len(refused.stderr.splitlines()) == 1 and not (tmp_path / "outputs").exists()


def test_a_launcher_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ValueError, match=r"hydra/launcher=ray needs: pip install 'vit-vs-cnn\[ray\]'"):
        check_plugins(["-m", "hydra/launcher=ray"], many=True)
    check_plugins(["-m", "hydra/launcher=basic", "seed=0,1"], many=True)


def test_a_search_without_optuna_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ValueError, match=r"hydra/sweeper=optuna needs: pip install 'vit-vs-cnn\[optuna\]'"):
        check_plugins(["-m", "hydra/sweeper=optuna"], many=True)
