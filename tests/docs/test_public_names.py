"""The script that uses every public name runs, and leaves none out."""

import runpy
from pathlib import Path

import pytest

import vision
from vision.mixers import registry

SCRIPT = Path(__file__).with_name("public_names.py")


@pytest.mark.slow
def test_every_public_name_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_mixers", dict(registry._mixers))
    names = runpy.run_path(str(SCRIPT))
    assert names["record"]["steps"] == 2 and len(names["accuracies"]) == 1
    assert names["name"] in {str(digit) for digit in range(10)}


def test_the_script_uses_every_public_name():
    text = SCRIPT.read_text()
    imported = text.partition("from vision import ")[2].partition("\n")[0].split(", ")
    assert {name for name in dir(vision) if not name.startswith("_") and f"vision.{name}" not in text} <= set(
        imported
    )
