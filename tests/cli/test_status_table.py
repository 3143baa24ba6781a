"""The table of `vision status --watch`, of a sweep that another process computes."""

import io
import re
import subprocess
import time
from pathlib import Path

import pytest
from commands import TINY, VISION
from rich.console import Console

from vision import results
from vision.cli.status_table import StatusTable


def drawn(table: StatusTable, folder: Path) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table.render(results.status(folder)))
    return console.export_text()


@pytest.mark.slow
def test_the_table_shows_steps_speeds_errors_and_the_time_left(tmp_path, monkeypatch):
    sweep = [*TINY, "model=cnn", "seed=range(3)", "training.steps=1500", "train_size=20"]
    monkeypatch.setenv("VISION_SILENT_SECONDS", "2.4")  # ten heartbeats a second
    folder = tmp_path / "outputs/tiny/runs"
    table, seen, expected = StatusTable(folder), "", 0.0
    with subprocess.Popen([VISION, "train", "-m", *sweep], cwd=tmp_path, stderr=subprocess.DEVNULL) as going:
        deadline = time.monotonic() + 200
        while not re.search(r"s1: process .*, step \d+ of 1500, [\d.]+ steps/s", seen):
            assert time.monotonic() < deadline and going.poll() is None, seen
            time.sleep(0.1)
            seen = drawn(table, folder) if folder.exists() else ""
        then = time.monotonic()
        left = re.search(r"(\d+) runs are left, about (\d+) s with 1 at once", seen)
        assert left and int(left[1]) == 2, seen
        expected = float(left[2])
        assert re.search(r"CNN +1/3, 1 running", seen), seen
        assert going.wait(200) == 0
    took = time.monotonic() - then
    assert took / 3 < expected < 3 * took, "the machine may be busy with other work"
    assert "no run is left" in drawn(table, folder) and not list(folder.rglob("progress.json"))


def test_the_last_line_of_each_error_is_shown(sweep):
    folder = sweep / "outputs/tiny/runs"
    shown = drawn(StatusTable(folder), folder)
    assert re.search(r"failed CNN/n60/s0: NonFiniteLoss: the loss is ", shown), shown
    assert re.search(r"ViT +1/1 +1/1 +0/1, 1 failed", shown) and "no run is left" in shown
