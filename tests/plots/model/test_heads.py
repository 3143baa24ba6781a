"""Centres and widths of heads: what is drawn is what is in the table."""

import pandas as pd
import pytest
from figure_cases import png
from matplotlib.patches import Circle

from vision.plots import plot_heads


def test_a_circle_of_its_width_at_each_heads_centre():
    rows = [("a", 0, -1.0, 2.0, 0.5), ("a", 1, 0.0, 0.0, 0.0), ("b", 0, 3.0, 1.0, 1.0)]
    table = pd.DataFrame(rows, columns=["layer", "head", "row", "col", "width"])
    figure = plot_heads(table, title="heads")
    assert [panel.get_title() for panel in figure.axes] == ["a", "b"]
    circle = figure.axes[0].patches[0]
    assert isinstance(circle, Circle)
    assert circle.center == (2.0, -1.0) and circle.radius == 0.5 and png(figure)
    assert figure.axes[1].get_ylim()[0] > 4 > 0 > figure.axes[1].get_ylim()[1]  # row 0 is at the top
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1"]
    gated = plot_heads(table.assign(gate=[0.731, 0.5, float("nan")]), title="heads")
    assert [text.get_text() for axes in gated.axes for text in axes.texts] == ["0 (73%)", "1 (50%)", "0"]
    with pytest.raises(ValueError, match="no such layer"):
        plot_heads(table.iloc[:0], title="heads")
