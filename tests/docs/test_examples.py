"""Each example as a user runs it, in a copy of its folder."""

import json
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from vision.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"


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
        "plain_loop.py", "timm_recipe.py", "features_for_sklearn.py", "field_in_own_attention.py",
        "saliency.py", "fine_tune.py", "dense_head.py", "attention_maps.ipynb",
        "own_parts", "README.md",
    }  # fmt: skip


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_examples_have_under_40_lines_with_their_blank_ones(path):
    assert len(path.read_text().splitlines()) < 40


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
    lines = example("graph_attention.py").splitlines()
    assert [line.split(": ")[0] for line in lines] == ["graph_attention", "self_attention", "identity"]
    along, among, none = (float(line.split()[1]) for line in lines)
    assert along > 0.9 and abs(among - 0.5) < 0.1 and abs(none - 0.5) < 0.1


def test_a_model_with_timms_interface(example):
    out = example("reuse_model.py")
    for line in ("logits (2, 10)", "blocks 1 and 3 (2, 64, 8, 8) (2, 64, 8, 8)", "block 0 (2, 4, 64, 64)"):
        assert line in out
    assert "attends to 9: 3 x 3 of its 5 x 5" in out


def test_a_trained_model_from_its_folder(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "debug=tiny", "model=cnn", "model.kwargs.params=20000"]) == 0
    tuned = example("fine_tune.py", "outputs/tiny/runs/CNN/n20/s0")
    assert float(tuned.split()[-1]) > 0.9
    out = example("load_trained.py", "outputs/tiny/runs/CNN/n20/s0")
    assert "images (1, 8, 8)" in out and "logits (2, 10)" in out and "another task (2, 2)" in out


@pytest.mark.slow
def test_a_plain_pytorch_loop(example):
    assert float(example("plain_loop.py").split()[-1]) > 0.85


def test_timms_recipe(example):
    *losses, groups = example("timm_recipe.py").splitlines()
    assert float(losses[-1].split()[-1]) < 2.3 and int(groups.split()[0]) > 4  # ln(10), and by layer


def test_features_for_scikit_learn(example):
    out = example("features_for_sklearn.py")
    assert out.startswith("32 features") and float(out.split()[-1]) > 0.6


def test_a_field_in_an_own_attention_layer(example):
    rows = example("field_in_own_attention.py").splitlines()[1:]
    seen = {(i, j) for i, row in enumerate(rows) for j, mark in enumerate(row.split()) if mark == "#"}
    assert seen == {(2, j) for j in range(5)} | {(i, 2) for i in range(5)}


def test_saliency_of_a_converted_resnet(example):
    first, second = example("saliency.py").splitlines()
    assert float(first.split()[3]) < 1e-3 and "queries of conv1" in second


def test_a_dense_head(example):
    assert float(example("dense_head.py").split()[-1]) > 0.9


def test_the_notebook(monkeypatch):
    """Its cells run in order, as in a kernel; the last figure has one panel for each model."""
    import matplotlib

    matplotlib.use("agg")
    cells = json.loads((EXAMPLES / "attention_maps.ipynb").read_text())["cells"]
    assert all(not cell["outputs"] for cell in cells if cell["cell_type"] == "code")
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(cell["source"], names)
    assert names["seen"] == {"field_vit": 64, "field_local": 9}
    assert [axis.get_title() for axis in names["axes"]] == ["field_vit: 64 keys", "field_local: 9 keys"]
    names["plt"].close("all")
