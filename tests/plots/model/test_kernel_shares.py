"""The figure of kernel shares: what is drawn is what is in the table."""

import numpy as np
import pandas as pd
import pytest
from figure_cases import png
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text

from vision.plots import plot_kernel_shares

STEPS = np.arange(-1, 2)


def table():
    rows = [("a", 0, 0.7, 0.1, 0.2), ("a", 1, 0.2, 0.3, 0.5), ("b", 0, 1.0, -0.01, 0.01)]
    columns = pd.DataFrame(rows, columns=["layer", "head", "kernel", "position", "content"])
    ends = {"kernel_low": columns["kernel"] - 0.1, "kernel_high": columns["kernel"] + 0.1}
    return columns.assign(**ends, row=[0.5, 0.0, -1.0], col=[0.0, 0.0, 1.0], width=[1.5, 1.0, 0.0])


def test_shares_are_stacked_and_each_kernel_is_beside_its_layer():
    kernels = {"a": (np.full((2, 3, 3), 1 / 9), STEPS, STEPS), "b": (np.eye(3)[None] / 3, STEPS, STEPS)}
    figure = plot_kernel_shares(table(), kernels, title="shares", notes="2 images")
    first, second = (panel for panel in figure.axes if panel.get_ylabel() == "share of variance")
    bars = [bar for bar in first.patches if isinstance(bar, Rectangle)]
    assert [(round(bar.get_y(), 9), round(bar.get_height(), 9)) for bar in bars] == [
        *((0.0, 0.7), (0.0, 0.2)),
        *((0.7, 0.1), (0.2, 0.3)),
        *((0.8, 0.2), (0.5, 0.5)),
    ]
    assert first.get_title() == "a" and second.get_title() == "b"
    drawn = [panel for panel in figure.axes if panel.images]
    assert [[text.get_text() for text in panel.texts] for panel in drawn] == [
        ["0: 1.5", "1: 1.0"],
        ["0: 0.0"],
    ]
    circle = drawn[0].patches[0]
    assert isinstance(circle, Circle) and circle.center == (0.0, 0.5) and circle.radius == 1.5
    np.testing.assert_allclose(np.asarray(drawn[1].images[0].get_array()), np.eye(3) / 3)
    assert drawn[0].get_ylim() == (1.5, -1.5)  # rows go down
    assert png(figure)


def test_an_empty_table_is_refused():
    with pytest.raises(ValueError, match="rows"):
        plot_kernel_shares(table().iloc[:0], {}, title="shares")


def test_heads_whose_kernels_are_not_drawn_are_told_of():
    heads = pd.concat([table().iloc[[0]].assign(head=head) for head in range(12)])
    kernels = {"a": (np.full((12, 3, 3), 1 / 9), STEPS, STEPS)}
    figure = plot_kernel_shares(heads, kernels, title="shares", notes="2 images")
    (drawn,) = (panel for panel in figure.axes if panel.images)
    assert len(drawn.images) == 9
    written = " ".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))
    assert "2 images; kernels of the first 9 heads of a layer" in " ".join(written.split())
