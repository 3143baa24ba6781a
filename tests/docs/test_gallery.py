"""The gallery: its script draws the figures that its page shows, and its Python code runs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gallery
import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from torch import nn

from vision import inspection, plots

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gallery.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
MODELS = {"ViT": "field_vit", "CNN": "field_cnn", "quadratic-attention": "field_quadratic"}


@pytest.mark.slow
def test_the_script_draws_every_figure_that_it_lists(tmp_path):
    small = ["--data", "digits", "--train-size", "60", "--steps", "2"]
    gallery.main([*small, "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "figures")])
    wanted = {f"{name}.png" for figures in gallery.FIGURES.values() for name in figures.values()}
    made = {path.name: Image.open(path).size for path in (tmp_path / "figures").iterdir()}
    assert set(made) == wanted and all(width > 300 for width, _ in made.values())


def test_the_page_shows_every_figure_in_a_small_file():
    shown = set(re.findall(r"figures/(\w+\.png)", PAGE))
    made = {f"{name}.png" for figures in gallery.FIGURES.values() for name in figures.values()}
    assert made <= shown and "shuffled_patches.png" in shown
    assert all((ROOT / "docs" / "figures" / name).stat().st_size < 300_000 for name in made)


def test_the_pages_calls_exist():
    for block in BLOCKS:
        compile(block, "gallery.md", "exec")
    calls = re.findall(r"\b(inspection|plots)\.(\w+)\(", "".join(BLOCKS))
    assert len(calls) > 10
    assert all(hasattr({"inspection": inspection, "plots": plots}[part], name) for part, name in calls)


@pytest.mark.slow
def test_the_pages_code_draws_its_figures(monkeypatch):
    def untrained(name: str, **arguments: Any) -> nn.Module:
        label = re.match(r"local-dir:outputs/gallery/(.+)/n4000/s0", name)
        if label is None:
            return create_model(name, **arguments)
        return create_model(MODELS[label[1]], img_size=32, patch_size=4, embed_dim=16, depth=2)

    create_model = timm.create_model
    monkeypatch.setattr(timm, "create_model", untrained)
    drawn: list[plots.Figure] = []
    for name in dir(plots):
        if name.startswith("plot_"):
            monkeypatch.setattr(plots, name, recorded(getattr(plots, name), drawn))
    image, generator = np.full((224, 224, 3), 0.5), torch.Generator().manual_seed(0)
    rows = [(label, images, 0.5, 0.4, 0.6) for label in ("ViT", "CNN") for images in ("intact", "shuffled")]
    scores = pd.DataFrame(rows, columns=["label", "images", "mean", "low", "high"])
    names: dict[str, Any] = {"scores": scores, "image": image, "shuffled_image": image}
    for block in BLOCKS:
        exec(block, names)
        names["images"] = torch.randn(8, 3, 32, 32, generator=generator)
    assert len(drawn) == len(BLOCKS) - 2  # all but the models, and the figure of the script
    assert all(figure.axes for figure in drawn)


def recorded(draw: Callable[..., plots.Figure], drawn: list[plots.Figure]) -> Callable[..., None]:
    return lambda *arguments, **options: drawn.append(draw(*arguments, **options))
