"""Twelve short runs as one sweep, over the same twelve as processes of a plain script (plain_run.py).

The plain script represents a training script that is started once per run. It does less than timm's train.py.
It imports torch and timm and reads its images from one file. It trains the same timm model for the same
number of steps, and scores it once. It does not augment, validate on the way, or keep the weights.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.turns import VISION, Row, Seconds, Section, goal, run_processes, say
from vision.config import DataConfig
from vision.data import load_source

MODEL = "vit_tiny_patch16_224"
ARGUMENTS = {"patch_size": 2, "embed_dim": 64, "depth": 4, "num_heads": 4}
SIZES, SEEDS, STEPS, BATCH_SIZE = (100, 250, 500, 1200), (0, 1, 2), 50, 32
SIDE_BY_SIDE = 2


def sweep(rounds: int) -> Section:
    """Measure each way once, because each takes minutes; one thread per process, float32."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        plain = _plain_commands(folder)
        ours = (
            *(*VISION, "train", "-m", "data=digits", "model=timm", f"model.name={MODEL}"),
            *(f"+model.kwargs.{key}={value}" for key, value in ARGUMENTS.items()),
            f"train_size={','.join(map(str, SIZES))}",
            f"seed={','.join(map(str, SEEDS))}",
            *(f"training.steps={STEPS}", f"training.batch_size={BATCH_SIZE}", "training.threads=1"),
            *("training.precision=float32", "training.device=cpu"),
        )
        say("  12 processes, one after another")
        in_a_row = run_processes(plain)
        say("  one sweep, in one process")
        one = run_processes([(*ours, f"output_dir={folder / 'one'}")])
        say(f"  12 processes, {SIDE_BY_SIDE} at once")
        at_once = run_processes(plain, at_once=SIDE_BY_SIDE)
        say(f"  one sweep, hydra/launcher=local, {SIDE_BY_SIDE} processes")
        local = (
            *ours,
            "hydra/launcher=local",
            f"hydra.launcher.n_jobs={SIDE_BY_SIDE}",
            f"output_dir={folder / 'two'}",
        )
        two = run_processes([local])
    rows = [
        _row("12 processes, one after another", in_a_row, in_a_row),
        _row("one sweep, in one process", one, in_a_row),
        _row(f"12 processes, {SIDE_BY_SIDE} at once", at_once, in_a_row),
        _row(f"one sweep, hydra/launcher=local, {SIDE_BY_SIDE} processes", two, in_a_row),
    ]
    goals = [
        goal("one process: times faster than 12 one after another", in_a_row.wall / one.wall, ">= 4"),
        goal("local: times faster than 12 one after another", in_a_row.wall / two.wall, ">= 4"),
        goal(f"local: times faster than 12, {SIDE_BY_SIDE} at once", at_once.wall / two.wall, ">= 4"),
        goal("one process: times less CPU time than the 12", in_a_row.cpu / one.cpu),
    ]
    return Section(rows, goals)


def _plain_commands(folder: Path) -> list[tuple[str, ...]]:
    source = load_source(DataConfig(name="digits", source="digits"))
    arrays = {}
    for part, images in (("train", source.train), ("test", source.test)):
        arrays |= {f"{part}_pixels": np.asarray(images.pixels), f"{part}_labels": images.labels.numpy()}
    np.savez(folder / "digits.npz", allow_pickle=False, **arrays)
    (folder / "arguments.json").write_text(
        json.dumps({"model_name": MODEL, "img_size": 8, "in_chans": 1, "num_classes": 10, **ARGUMENTS})
    )
    script = str(Path(__file__).with_name("plain_run.py"))
    return [
        (sys.executable, script, str(folder), *map(str, (size, seed, STEPS, BATCH_SIZE)))
        for size in SIZES
        for seed in SEEDS
    ]


def _row(way: str, seconds: Seconds, base: Seconds) -> Row:
    return {
        "way": way,
        "wall s": seconds.wall,
        "CPU s": seconds.cpu,
        "times faster": base.wall / seconds.wall,
        "steps": STEPS,
        "batch": BATCH_SIZE,
    }
