"""Runs that are killed continue from their own state: real processes, real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from vision import results
from vision.checkpoints import RunCheckpoint
from vision.cli import main
from vision.config import AugmentConfig, DataConfig, RunConfig
from vision.config.data_checks import POLICIES
from vision.experiment import run

STEPS = 500
RECIPE = ("data=digits", "model=vit", "model.kwargs.params=20000", "train_size=200", "training.threads=1")
RECIPE += (
    "+model.kwargs.depth=1",
    f"training.steps={STEPS}",
    "training.batch_size=32",
    "data.augment.crop_padding=1",
    "data.augment.mixup=0.2",
)


def train(folder: Path, *settings: str) -> list[str]:
    return ["train", *RECIPE, f"output_dir={folder}", *settings]


def start(folder: Path, *settings: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vision", *train(folder, *settings)]
    return subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def assert_same(one: Path, other: Path) -> None:
    for name in ("test_predictions.npy", "test_logits.npy"):
        assert np.array_equal(np.load(one / name), np.load(other / name))
    left, right = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    assert left.keys() == right.keys() and all(np.array_equal(left[key], right[key]) for key in left)
    assert (one / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()


@pytest.mark.slow
def test_a_run_that_is_killed_and_then_terminated_ends_as_if_never_cut(tmp_path):
    whole, cut = (tmp_path / name / "runs" / "ViT" / "n200" / "s0" for name in ("whole", "cut"))
    # Killed, it keeps the state of its last minutes; terminated, that of the signal.
    first = start(tmp_path / "cut", "training.checkpoint_minutes=0.001")
    wait_for(lambda: (cut.parent / ".s0.checkpoint" / "state.before").exists())
    os.killpg(first.pid, signal.SIGKILL)
    assert first.wait(60) != 0 and not cut.exists()
    dead = set(cut.parent.glob("s0.partial-*"))
    second = start(tmp_path / "cut", "training.checkpoint_minutes=60")
    wait_for(
        lambda: any(
            path.stat().st_size and path.parent not in dead
            for path in cut.parent.glob("s0.partial-*/metrics.jsonl")
        )
    )
    os.killpg(second.pid, signal.SIGTERM)
    assert second.wait(60) != 0 and not cut.exists()
    assert main(train(tmp_path / "cut", "training.checkpoint_minutes=60")) == 0
    assert main(train(tmp_path / "whole")) == 0
    killed, terminated = json.loads((cut / "result.json").read_text())["continued_after"]
    assert 0 < killed <= terminated < STEPS
    assert_same(whole, cut)
    assert not list(cut.parent.glob(".s0*")), "the state is removed when the run has finished"


def kept(config: RunConfig, at: int) -> results.Checkpoint:
    """Cut a run after as many steps, with its state on the disk."""

    class Cut(KeyboardInterrupt):
        pass

    def progress(line: dict) -> None:
        if line["step"] == at:
            raise Cut

    with pytest.raises(Cut):
        run(config, progress)
    return results.Checkpoint(results.run_folder(config))


@pytest.fixture
def config(small_run: RunConfig) -> RunConfig:
    return replace(small_run, training=replace(small_run.training, checkpoint_minutes=1e-9))


def test_the_state_before_is_used_where_the_newest_is_damaged(config):
    whole = run(replace(config, sweep="whole"))
    checkpoint = kept(config, at=8)
    newest = checkpoint.folder / "state"
    newest.write_bytes(newest.read_bytes()[:-100])
    result = run(config)
    assert result["continued_after"] == [6], "the step before the newest, 7"
    assert_same(Path(whole["folder"]), Path(result["folder"]))


def test_the_state_of_another_config_is_not_used(config):
    kept(config, at=8)
    other = replace(config, training=replace(config.training, lr=0.02))
    result = run(other)
    assert result["continued_after"] == []


def test_a_run_is_cut_twice(config):
    whole = run(replace(config, sweep="whole"))
    kept(config, at=5)
    kept(config, at=9)
    result = run(config)
    assert result["continued_after"] == [4, 8]
    assert_same(Path(whole["folder"]), Path(result["folder"]))


@pytest.mark.slow
def test_patience_continues(config):
    data = replace(config.data, val_fraction=0.5)
    recipe = {"steps": 400, "num_evaluations": 40, "patience": 3, "lr": 0.02, "label_smoothing": 0.0}
    config = replace(config, data=data, training=replace(config.training, **recipe))
    whole = run(replace(config, sweep="whole"))
    kept(config, at=whole["steps"] - 5)
    result = run(config)
    assert result["steps"] == whole["steps"] and result["val_loss"] == whole["val_loss"]
    assert_same(Path(whole["folder"]), Path(result["folder"]))


POLICY = {"magnitude": 9, "num_magnitude_bins": 31}
AUGMENTATIONS: list[dict[str, Any]] = [
    {"crop_padding": 2},
    {"flip": True},
    {"mixup": 0.3},
    {"cutmix": 0.7},
    {"mixup": 0.3, "cutmix": 0.7},
    {"random_erasing": 0.5},
    {"policy": "randaugment", "policy_options": POLICY},
    {"policy": "trivialaugment"},
    {"policy": "autoaugment"},
    {"policy": "trivialaugment", "crop_padding": 1, "flip": True, "mixup": 0.3, "random_erasing": 0.5},
]


def test_every_augmentation_is_named():
    names = {name for augmentation in AUGMENTATIONS for name in augmentation}
    assert names == {field.name for field in fields(AugmentConfig)}
    assert {augmentation.get("policy") for augmentation in AUGMENTATIONS} == {None, *POLICIES}


def assert_continues(config: RunConfig, at: int = 8) -> None:
    whole = run(replace(config, sweep="whole"))
    kept(config, at=at)
    result = run(config)
    assert result["continued_after"] == [at - 1] and whole["continued_after"] == []
    assert_same(Path(whole["folder"]), Path(result["folder"]))


@pytest.mark.slow
@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=str)
def test_every_augmentation_continues_to_the_bit(config, augmentation):
    assert_continues(replace(config, data=replace(config.data, augment=AugmentConfig(**augmentation))))


@pytest.mark.slow
def test_images_that_are_read_from_the_disk_continue_to_the_bit(config, tmp_path):
    generator = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 4)):
        for label in "ab":
            folder = tmp_path / "images" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    data = DataConfig(
        source="image_folder",
        root=str(tmp_path / "images"),
        max_memory_fraction=1e-12,
        num_workers=2,
        augment=AugmentConfig(policy="randaugment", flip=True, cutmix=0.5),
    )
    assert_continues(replace(config, data=data, train_size=40))


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        {"ema_decay": 0.9, "accumulation_steps": 3},
        {"freeze_backbone": True, "optimizer": "sgd", "momentum": 0.9},
        {"out_of_memory": "halve", "log_inside": True},
        {"patience": 100, "ema_decay": 0.9, "accumulation_steps": 2, "schedule": "wsd"},
    ],
    ids=str,
)
def test_every_policy_of_training_continues_to_the_bit(config, recipe):
    data = replace(config.data, val_fraction=0.5)
    assert_continues(replace(config, data=data, training=replace(config.training, **recipe)))


def test_without_minutes_nothing_is_kept(config):
    config = replace(config, training=replace(config.training, checkpoint_minutes=None))
    assert not kept(config, at=8).folder.exists()


def test_a_signal_keeps_the_state_and_the_run_goes_on(config):
    config = replace(config, training=replace(config.training, checkpoint_minutes=60.0))
    before = signal.getsignal(signal.SIGUSR1)
    found: list[bool] = []

    def progress(line: dict) -> None:
        if line["step"] == 5:
            os.kill(os.getpid(), signal.SIGUSR1)
        if line["step"] == 7:
            found.append(RunCheckpoint(config, results.run_folder(config)).read() is not None)

    assert run(config, progress)["status"] == "finished"
    assert found[0] and signal.getsignal(signal.SIGUSR1) is before


def test_a_state_that_cannot_be_written_is_a_warning(config):
    folder = results.Checkpoint(results.run_folder(config)).folder
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="state of the run could not be kept"):
        assert run(config)["status"] == "finished"
