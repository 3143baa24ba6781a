"""The gallery: its script makes the pictures that its page shows, and its Python calls name what exists."""

import re
from pathlib import Path

import gallery
import pytest
from PIL import Image

from vision import inspection, plots

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gallery.md").read_text()


@pytest.mark.slow
def test_the_script_makes_every_picture_that_it_lists(tmp_path):
    small = ["--data", "digits", "--train-size", "60", "--steps", "2"]
    gallery.main([*small, "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "figures")])
    wanted = {f"{name}.png" for pictures in gallery.PICTURES.values() for name in pictures.values()}
    made = {path.name: Image.open(path).size for path in (tmp_path / "figures").iterdir()}
    assert set(made) == wanted and all(width > 300 for width, _ in made.values())


def test_the_page_shows_every_picture_small_enough_to_keep():
    shown = set(re.findall(r"figures/(\w+\.png)", PAGE))
    made = {f"{name}.png" for pictures in gallery.PICTURES.values() for name in pictures.values()}
    assert made <= shown and "shuffled_patches.png" in shown
    assert all((ROOT / "docs" / "figures" / name).stat().st_size < 300_000 for name in made)


def test_the_pages_calls_exist():
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    for block in blocks:
        compile(block, "gallery.md", "exec")
    calls = re.findall(r"\b(inspection|plots)\.(\w+)\(", "".join(blocks))
    assert len(calls) > 10
    assert all(hasattr({"inspection": inspection, "plots": plots}[part], name) for part, name in calls)
