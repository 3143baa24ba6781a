"""One run on several processes: by torchrun and by Slurm, next to the same run on one process."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import VISION
from launchers import launched_by
from safetensors.numpy import load_file

from vision.cli import main
from vision.config import ProcessOfRun, this_process_of_run
from vision.data import load_inputs
from vision.experiment import check_run
from vision.models import create_model
from vision.training import share_batch_norms

RUN = ["data=digits", "model=vit", "model.kwargs.params=20000", "train_size=300", "training.batch_size=32"]
RUN += ["data.augment.crop_padding=1", "training.precision=float32", "training.threads=1"]
FOLDER = Path("outputs/runs/ViT/n300/s0")


def torchrun(folder: Path, *settings: str) -> subprocess.Popen[str]:
    module = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    command = [*module, "--no-python", str(VISION), "train", *RUN, *settings]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, stderr=subprocess.PIPE)


def record(folder: Path) -> dict:
    return json.loads((folder / FOLDER / "result.json").read_text())


def assert_close(one: Path, two: Path) -> None:
    left, right = (load_file(folder / FOLDER / "model.safetensors") for folder in (one, two))
    assert left.keys() == right.keys()
    for name, weights in left.items():
        np.testing.assert_allclose(right[name], weights, atol=1e-4, err_msg=name)
    logits = [np.load(folder / FOLDER / "test_logits.npy").astype(np.float32) for folder in (one, two)]
    assert logits[0].shape == (360, 10), "each test image once"
    np.testing.assert_allclose(logits[1], logits[0], atol=5e-3)
    assert record(two)["test_loss"] == pytest.approx(record(one)["test_loss"], rel=1e-4)
    assert record(two)["val_loss"] == pytest.approx(record(one)["val_loss"], rel=1e-4)


@pytest.mark.slow
def test_two_processes_train_as_one_does_though_they_are_cut(tmp_path, monkeypatch):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    # Adam would turn the rounding errors of the keys' bias, whose gradient is zero, into whole steps.
    settings = (
        "training.optimizer=sgd",
        "training.lr=0.02",
        "training.steps=60",
        "training.num_evaluations=30",
        "training.ema_decay=0.9",
    )
    monkeypatch.chdir(one)
    assert main(["train", *RUN, *settings]) == 0
    first = torchrun(two, *settings)
    deadline = time.monotonic() + 120
    while not [path for path in two.rglob("metrics.jsonl") if path.stat().st_size]:
        assert time.monotonic() < deadline and first.poll() is None, first.communicate()
        time.sleep(0.02)
    first.send_signal(signal.SIGTERM)
    assert first.communicate(timeout=100) and not (two / FOLDER / "result.json").exists()
    second = torchrun(two, *settings)
    errors = second.communicate(timeout=200)[1]
    assert second.returncode == 0, errors
    assert errors.count("test accuracy") == 1, "one process speaks"
    [cut] = record(two)["continued_after"]
    assert 0 < cut < 60 and (record(one)["processes"], record(two)["processes"]) == (1, 2)
    assert_close(one, two)
    assert sorted(path.name for path in (two / FOLDER).parent.iterdir()) == ["s0"], "nothing is left"


@pytest.mark.slow
def test_the_tasks_of_a_slurm_job_train_one_run(tmp_path):
    slurm = launched_by("submitit_slurm")
    sweep = [VISION, "train", "-m", *RUN, "training.steps=20", *slurm, "hydra.launcher.tasks_per_node=2"]
    done = subprocess.run(sweep, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert record(tmp_path)["processes"] == 2


def test_the_parts_of_the_processes_are_the_batches_of_one(digits):
    for changes in ({"crop_padding": 1, "flip": True}, {"mixup": 0.5, "random_erasing": 0.5}):
        config = replace(digits, augment=replace(digits.augment, **changes))
        inputs = [
            load_inputs(config, 60, process=ProcessOfRun(rank=rank, count=count))
            for rank, count in ((0, 1), (0, 2), (1, 2))
        ]
        whole, *parts = (list(zip(range(4), i.train_batches(16, seed=3), strict=False)) for i in inputs)
        for (_, batch), *pieces in zip(whole, *parts, strict=True):
            for number, tensor in enumerate(batch):
                assert torch.equal(tensor, torch.cat([piece[1][number] for piece in pieces]))
        shown = [torch.cat([y for _, y in i.eval_batches(i.test)]) for i in inputs]
        assert torch.equal(shown[0], torch.cat(shown[1:])) and len(shown[1]) == len(shown[2])


def test_a_process_finds_its_place_in_a_run(monkeypatch):
    assert this_process_of_run() == ProcessOfRun(0, 1, 0)
    for name, value in {"SLURM_PROCID": "5", "SLURM_LOCALID": "1"}.items():
        monkeypatch.setenv(name, value)
    assert this_process_of_run().count == 1, "the batch script of a job, outside of srun"
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "8")
    assert this_process_of_run() == ProcessOfRun(5, 8, 1)
    for name, value in {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert this_process_of_run() == ProcessOfRun(2, 4, 0)


def test_what_several_processes_cannot_train_is_refused_in_a_sentence(small_run, monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "3", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        ValueError, match="batch_size must be a multiple of the number of processes, 3, got 16"
    ):
        check_run(small_run)
    training = replace(small_run.training, batch_size=15, accumulation_steps=6)
    with pytest.raises(
        ValueError, match="accumulation_steps must be at most 5, the images of a batch on each"
    ):
        check_run(replace(small_run, training=training))
    model = create_model("plain_cnn", in_chans=1, num_classes=10)
    with pytest.raises(
        ValueError, match="batch norms can be trained on several processes on GPUs only, got 3"
    ):
        share_batch_norms(model, torch.device("cpu"), 3)
    refused = subprocess.run([VISION, "train", "-m", "seed=0,1"], capture_output=True, text=True)
    assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1
    assert "torchrun and srun train one run, here on 3 processes" in refused.stderr
