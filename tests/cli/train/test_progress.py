"""What a run shows on a terminal, and elsewhere."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from commands import TINY, VISION

from vision.cli.train import progress as module
from vision.cli.train.progress import Progress

CNN = [*TINY, "model=cnn", "train_size=40"]


def on_terminal(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit status of a command, and what it writes to a terminal as standard error."""
    main, terminal = pty.openpty()
    with subprocess.Popen(
        [VISION, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(terminal)
        shown = b""
        try:
            while chunk := os.read(main, 65536):
                shown += chunk
        except OSError:  # the command has ended
            pass
    os.close(main)
    return process.returncode, shown.decode()


@pytest.mark.slow
@pytest.mark.parametrize("many", [[], ["-m"]], ids=["run", "sweep"])
def test_a_long_run_has_a_bar_on_a_terminal(tmp_path, many):
    status, shown = on_terminal(tmp_path, "train", *many, *CNN, "training.steps=3000")
    assert status == 0, shown
    steps = [int(step) for step in re.findall(r"CNN n=40 seed=0 .*?(\d+)/3000", shown)]
    assert len(steps) > 3 and steps == sorted(steps) and "train_loss" in shown, shown
    assert "test accuracy" in shown and shown.endswith("\n")
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor is back"


@pytest.mark.slow
def test_processes_of_a_launcher_have_no_bars(tmp_path):
    words = ["train", "-m", *CNN, "seed=0,1", "training.steps=1500", "hydra/launcher=local"]
    status, shown = on_terminal(tmp_path, *words)
    assert status == 0 and "\x1b[?25l" not in shown and shown.count("test accuracy") == 2, shown


def test_elsewhere_a_line_for_each_epoch(small_run, monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    with Progress(small_run) as progress:
        for step in range(1, 101):
            clock[0] += 1.0
            progress({"step": step, "steps": 100, "epoch": step / 20})
            if step == 50:
                progress({"step": 50, "steps": 100, "train_loss": 2.0, "val_accuracy": 0.25})
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "CNN n=60 seed=0: epoch 1, step 20/100",
        "CNN n=60 seed=0: epoch 2, step 40/100",
        "CNN n=60 seed=0: epoch 3, step 60/100, train_loss 2.000, val_accuracy 0.250",
        "CNN n=60 seed=0: epoch 4, step 80/100, train_loss 2.000, val_accuracy 0.250",
        "CNN n=60 seed=0: epoch 5, step 100/100, train_loss 2.000, val_accuracy 0.250",
    ]


def test_short_epochs_have_a_line_every_ten_seconds(small_run, monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    progress = Progress(small_run)
    for step in range(1, 31):
        clock[0] += 1.0
        progress({"step": step, "steps": 30, "epoch": float(step)})
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == [
        "epoch 10, step 10/30",
        "epoch 20, step 20/30",
        "epoch 30, step 30/30",
    ]
