"""Twelve short runs of `vision train` on one device, one after another and side by side."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from gpu.process import ROOT, environment, python
from gpu.timing import Row

AT_ONCE = 6


def side_by_side(device: torch.device, tiny: bool) -> Iterator[Row]:
    """Yield wall seconds of both ways, start-up included, and the sum of their runs' training seconds."""
    runs, steps = (2, 3) if tiny else (12, 500)
    at_once = 2 if tiny else max(2, min(AT_ONCE, (os.cpu_count() or 2) // 2))
    one = (
        *("train", "-m", "data=digits", "model=vit", "train_size=500"),
        f"seed={','.join(map(str, range(runs)))}",
        *(f"training.steps={steps}", f"training.device={device.type}", "training.threads=1"),
    )
    per_gpu = f"hydra.launcher.per_gpu={at_once}"
    ways = {
        "one after another": one,
        "side by side": (*one, "hydra/launcher=gpu", "hydra.launcher.gpus=[0]", per_gpu),
    }
    walls: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        for way, arguments in ways.items():
            out = Path(folder) / way.replace(" ", "-")
            start = time.perf_counter()
            done = subprocess.run(
                python("-m", "vision", *arguments, f"output_dir={out}"),
                cwd=ROOT,
                env=environment(OMP_NUM_THREADS="1"),
                capture_output=True,
                text=True,
            )
            walls[way] = time.perf_counter() - start
            records = [json.loads(file.read_text()) for file in out.rglob("result.json")]
            row: Row = {"way": way, "runs": len(records), "steps": steps, "wall_s": walls[way], "n": 1}
            row["train_s"] = sum(record["train_seconds"] for record in records)
            if len(records) < runs:
                row["error"] = f"exit status {done.returncode}: {done.stderr[-400:]}"
            elif way != "one after another" and len(walls) == 2:
                row |= {"at_once": at_once, "ratio": walls["one after another"] / walls[way]}
                row["of"] = "one after another over this"
            yield row
