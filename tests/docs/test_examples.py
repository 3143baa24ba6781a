"""Each example as a user runs it, in a copy of its folder."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vision.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"
VISION = [sys.executable, "-m", "vision"]


def output(command: list[str], folder: Path) -> str:
    """Return the standard output of a command that must succeed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def example(tmp_path, monkeypatch, capsys):
    """Return a function that runs an example as a script in a fresh folder and returns what it prints."""

    def run(name: str, *arguments: str) -> str:
        script = str(shutil.copy(EXAMPLES / name, tmp_path))
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()
        runpy.run_path(script, run_name="__main__")
        return capsys.readouterr().out

    return run


def test_every_example_has_a_test():
    assert {p.name for p in EXAMPLES.iterdir()} == {
        "convert_a_cnn.py", "convolution_as_attention.py", "graph_attention.py", "reuse_model.py",
        "load_trained.py",
        "own_parts",
    }  # fmt: skip


def test_a_convolution_as_attention(example):
    lines = example("convolution_as_attention.py").splitlines()
    assert float(lines[0].rsplit(" ", 1)[1]) < 1e-12
    pictures = [lines[3:11], lines[13:21]]
    for picture, (row, col) in zip(pictures, [(2, 3), (3, 5)], strict=True):
        tokens = [line.split() for line in picture]
        assert tokens[3][4] == "o" and tokens[row][col] == "#"
        assert sum(line.count("#") for line in picture) == 1


def test_a_cnn_converted(example):
    # 3 + 8 + 3 convolutions of stem, blocks and shortcuts; a max pool, 3 average pools, a global one
    first, layer, query, back = example("convert_a_cnn.py", "resnet10t").splitlines()
    assert first.startswith("19 attention layers") and float(first.rsplit(" ", 1)[1]) < 1e-4
    assert layer == "conv1.0: 9 heads, 1024 queries, 4096 keys"
    # the query in row 16, column 16 of 32 is at position (32, 32) of 64; the first head reads up and left
    assert query.endswith(f"token {31 * 64 + 31}") and "Conv2d(3, 24, kernel_size=(3, 3)" in back


@pytest.mark.slow
def test_attention_on_a_graph(example):
    first, *lines = example("graph_attention.py").splitlines()
    assert first.startswith("32 members, 16 of them")
    along, among, none = (float(line.split(": ")[1].split(",")[0]) for line in lines)
    assert along > 0.9 and abs(among - 0.5) < 0.1 and abs(none - 0.5) < 0.1


def test_a_model_with_timms_interface(example):
    out = example("reuse_model.py")
    for line in ("logits (2, 10)", "blocks 1 and 3 (2, 64, 8, 8) (2, 64, 8, 8)", "block 0 (2, 4, 64, 64)"):
        assert line in out
    assert "attends to 9: 3 x 3 of its 5 x 5" in out


def test_a_trained_model_from_its_folder(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "debug=tiny", "model=cnn", "model.kwargs.params=20000"]) == 0
    out = example("load_trained.py", "outputs/tiny/runs/CNN/n20/s0")
    assert "images (1, 8, 8)" in out and "logits (2, 10)" in out and "another task (2, 2)" in out
