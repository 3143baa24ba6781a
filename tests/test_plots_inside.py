"""Pictures of what is inside a model: what is drawn is what was given."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from vision.plots import plot_cka, plot_heads, plot_heat, plot_position_similarity


def drawn(figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def test_cka_names_its_layers_and_writes_its_numbers():
    table = pd.DataFrame([[1.0, 0.25], [0.5, 0.75], [0.0, 0.125]], ["a", "b", "c"], ["x", "y"])
    figure = plot_cka(table, title="alike", rows="one", columns="other")
    panel = figure.axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["a", "b", "c"]
    assert [text.get_text() for text in panel.texts] == ["1.00", "0.25", "0.50", "0.75", "0.00", "0.12"]
    assert np.array_equal(panel.images[0].get_array(), table) and drawn(figure)


def test_heat_lies_over_its_image():
    image, values = np.random.default_rng(0).random((20, 30, 3)), np.array([[1.0, 2.0], [0.0, 4.0]])
    figure = plot_heat([("with", image, values), ("without", None, values)], title="t", label="share")
    one, other = figure.axes[:2]
    assert len(one.images) == 2 and len(other.images) == 1
    assert np.array_equal(one.images[1].get_array(), values / 4)
    extents = [tuple(drawing.get_extent()) for drawing in one.images]
    assert extents == [(0, 30, 20, 0)] * 2 and drawn(figure)
    with pytest.raises(ValueError, match="at least one panel"):
        plot_heat([], title="t", label="share")


def test_a_circle_of_its_width_at_each_heads_centre():
    rows = [("a", 0, -1.0, 2.0, 0.5), ("a", 1, 0.0, 0.0, 0.0), ("b", 0, 3.0, 1.0, 1.0)]
    table = pd.DataFrame(rows, columns=["layer", "head", "row", "col", "width"])
    figure = plot_heads(table, title="heads")
    assert [panel.get_title() for panel in figure.axes] == ["a", "b"]
    circle = figure.axes[0].patches[0]
    assert circle.center == (2.0, -1.0) and circle.radius == 0.5 and drawn(figure)
    assert figure.axes[1].get_ylim()[0] > 4 > 0 > figure.axes[1].get_ylim()[1]  # rows grow downwards
    with pytest.raises(ValueError, match="no such layer"):
        plot_heads(table.iloc[:0], title="heads")


@pytest.mark.parametrize(("side", "maps"), [(3, 9), (16, 64), (9, 25)])
def test_a_small_map_for_each_place_or_each_second(side, maps):
    similarity = np.random.default_rng(0).random((side, side, side, side))
    figure = plot_position_similarity(similarity, title="positions")
    panels = [panel for panel in figure.axes if panel.get_label() != "<colorbar>"]
    assert len(panels) == maps
    step = 1 if side == 3 else 2
    assert np.array_equal(panels[1].images[0].get_array(), similarity[0, step]) and drawn(figure)
