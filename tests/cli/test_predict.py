"""`vision predict` and `vision export` on a run's folder."""

import csv
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sklearn.datasets import load_digits

from vision.cli import main
from vision.experiment import run


@pytest.fixture
def trained(small_run) -> str:
    return run(small_run)["folder"]


@pytest.fixture
def scans(tmp_path) -> Path:
    """Three digits as files, one of them in a hidden folder, and a text."""
    folder = tmp_path / "scans"
    digits: Any = load_digits()
    for name, image in zip(("a.png", "deeper/b.png", ".hidden/c.png"), digits.images, strict=False):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15).astype("uint8")).save(path)
    (folder / "notes.txt").write_text("no image")
    return folder


def test_a_folder_is_classified_into_lines_and_a_table(trained, scans, tmp_path, capsys):
    table = tmp_path / "new" / "predictions.csv"
    assert main(["predict", trained, str(scans), "--top", "3", "--csv", str(table)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines[:2]] == [str(scans / "a.png"), str(scans / "deeper/b.png")]
    assert len(lines[0].split(",")) == 3 and lines[2] == f"wrote {table}"
    rows = list(csv.DictReader(table.open()))
    assert [row["rank"] for row in rows] == ["1", "2", "3"] * 2
    assert f"{rows[0]['class']} {float(rows[0]['probability']):.3f}" in lines[0]


def test_what_cannot_be_read_is_named_and_the_others_are_classified(trained, scans, capsys):
    (scans / "broken.png").write_text("no image")
    assert main(["predict", trained, str(scans / "broken.png"), str(scans / "a.png")]) == 1
    shown = capsys.readouterr()
    assert "broken.png is not an image that can be read" in shown.err and "a.png: " in shown.out


def test_a_name_that_is_not_unicode_is_in_the_table_as_it_is(trained, scans, tmp_path):
    shutil.copy(scans / "a.png", os.fsencode(scans) + b"/\xff.png")
    (scans / "paper.pdf").write_text("Pillow writes this format, and reads none")
    table = tmp_path / "predictions.csv"
    assert main(["predict", trained, str(scans), "--top", "1", "--csv", str(table)]) == 0
    assert b"/\xff.png,1," in table.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "{run}", "{scans}", "--csv", "{scans}/a.png"], "--csv must be a table, such as"),
        (["predict", "{run}", "gone.png"], "gone.png does not exist; give image files or folders"),
        (["predict", "{run}", "{empty}"], "has no image in it; looked for .jpg, .png"),
        (["predict", "{run}", "{scans}", "--top", "0"], "--top must be at least 1, got 0"),
        (["predict", "{run}", "{scans}", "--csv", "{empty}"], "--csv must be a file, and"),
        (
            ["predict", "{run}", "{scans}", "--csv", "{run}/config.json/t.csv"],
            "--csv must be a file in a folder",
        ),
        (["predict", "{run}", "{scans}", "--device", "gpu"], "such as cpu, got 'gpu'"),
        (["predict", "{empty}", "{scans}"], "holds no config.json; give the folder of a finished run"),
        (["predict", "{failed}", "{scans}"], "holds no model.safetensors; give the folder of a finished run"),
        (["export", "{run}", "--format", "tflite"], "format must be one of onnx, torch, got 'tflite'"),
        (["export", "{run}", "--out", "{empty}"], "is a folder; give a file, such as"),
        (["export", "{empty}"], "holds no config.json; give the folder of a finished run"),
    ],
)
def test_a_wrong_argument_is_one_sentence(trained, scans, tmp_path, capsys, arguments, message):
    empty, failed = tmp_path / "empty", tmp_path / "failed"
    empty.mkdir()
    shutil.copytree(trained, failed)
    (failed / "model.safetensors").unlink()
    places = {"run": trained, "empty": empty, "scans": scans, "failed": failed}
    assert main([argument.format(**places) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.slow
def test_a_model_is_exported(trained, tmp_path, capsys):
    assert main(["export", trained, "--format", "torch", "--out", str(tmp_path / "m.pt2")]) == 0
    assert "m.pt2; it differs from the model by" in capsys.readouterr().out and (tmp_path / "m.pt2").is_file()
