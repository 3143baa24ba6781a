"""Pictures of what is inside a model: what is drawn is what was given."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from vision.plots import (
    plot_attention_distance,
    plot_cka,
    plot_heads,
    plot_heatmap,
    plot_position_similarity,
)
from vision.plots.model.layer_names import short_names


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


def test_long_names_of_layers_lose_what_they_share():
    short = ["blocks.0.attn", "blocks.1.attn"]
    assert short_names(short) == short and short_names([]) == []
    long = [f"encoder.layers.encoder_layer_{i}.self_attention" for i in (0, 1)]
    assert short_names(long) == ["encoder_layer_0", "encoder_layer_1"]
    assert short_names(["a" * 30]) == ["a" * 30]  # one part is never cut


def test_cka_of_many_layers_names_some_of_them():
    table = pd.DataFrame(np.eye(70), [f"a{i}" for i in range(70)], [f"b{i}" for i in range(70)])
    panel = plot_cka(table, title="alike", rows="one", columns="other").axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()][:3] == ["a0", "a3", "a6"]
    assert not panel.texts and len(panel.get_xticklabels()) == 24


def test_heat_lies_over_its_image_in_grey_and_one_scale_serves_all_panels():
    image, values = np.random.default_rng(0).random((20, 30, 3)), np.array([[1.0, 2.0], [0.0, 4.0]])
    panels = [("with", image, values), ("without", None, values / 2)]
    figure = plot_heatmap(panels, (20, 30), title="t", label="share", notes="n = 2")
    above, _, one, other = figure.axes[:4]
    assert [len(place.images) for place in (above, one, other)] == [1, 2, 1]
    assert np.array_equal(above.images[0].get_array(), image)
    assert np.array_equal(one.images[0].get_array(), image.mean(axis=2))
    assert np.array_equal(one.images[1].get_array(), values)
    extents = [tuple(drawing.get_extent()) for drawing in (*one.images, *other.images)]
    assert extents == [(0, 30, 20, 0)] * 3 and drawn(figure)
    assert {place.images[-1].norm.vmax for place in (one, other)} == {4.0}
    assert len(plot_heatmap(panels[1:], (20, 30), title="t", label="share").axes) == 2  # and the colour bar
    with pytest.raises(ValueError, match="at least one panel"):
        plot_heatmap([], (20, 30), title="t", label="share")


def test_heat_on_a_logarithmic_scale_leaves_out_what_is_0():
    values = np.array([[1.0, 1e-2], [0.0, 1e-9]])
    figure = plot_heatmap([("a", None, values)], (2, 2), title="t", label="gradient", log=True)
    shown = figure.axes[0].images[0]
    assert shown.get_array().mask.tolist() == [[False, False], [True, False]]
    assert (shown.norm.vmin, shown.norm.vmax) == pytest.approx((1e-4, 1.0)) and drawn(figure)
    assert shown.norm(1e-2) == pytest.approx(0.5)
    assert drawn(plot_heatmap([("a", None, 0 * values)], (2, 2), title="t", label="gradient", log=True))


@pytest.mark.parametrize("layers", [3, 40])
def test_distances_stand_over_their_layers_with_a_line_for_equal_attention(layers):
    rows = [(f"blocks.{i}", i + 1, head, 4.0 + head) for i in range(layers) for head in (0, 1)]
    table = pd.DataFrame(rows, columns=["layer", "depth", "head", "distance"])
    table = table.assign(model="m", kind="attention")
    figure = plot_attention_distance(table, title="t", equal=16.7, notes="n = 1")
    panel = next(axes for axes in figure.axes if axes.get_title() == "m")
    assert panel.get_ylabel() == "mean attention distance (pixels)" and drawn(figure)
    dots, dashes = (drawing.get_offsets() for drawing in panel.collections)
    assert dots[:2].tolist() == [[1, 4], [1, 5]] and dashes[0].tolist() == [1, 4.5]
    assert list(panel.get_lines()[0].get_ydata()) == [16.7, 16.7]
    low, high = panel.get_ylim()
    assert low < 0 and high > 16.7
    names = [text.get_text() for text in panel.get_xticklabels()]
    assert (names[0] == "1: blocks.0") == (layers == 3)


@pytest.mark.parametrize("draw", ["heat", "heads", "positions", "cka", "distance"])
def test_the_small_print_is_below(draw):
    heads = pd.DataFrame([("a", 0, 1.0, 2.0, 0.5)], columns=["layer", "head", "row", "col", "width"])
    distance = pd.DataFrame([("m", 1, 4.0, "attention")], columns=["model", "depth", "distance", "kind"])
    text = {"title": "t", "notes": "commit 0123"}
    figure = {
        "heat": lambda: plot_heatmap([("a", None, np.eye(2))], (2, 2), label="share", **text),
        "heads": lambda: plot_heads(heads, **text),
        "positions": lambda: plot_position_similarity(np.ones((2, 2, 2, 2)), **text),
        "cka": lambda: plot_cka(pd.DataFrame(np.eye(2)), rows="one", columns="other", **text),
        "distance": lambda: plot_attention_distance(distance, **text),
    }[draw]()
    assert drawn(figure)
    assert figure.get_supxlabel() == "commit 0123" and figure.get_suptitle() == "t"


def test_a_circle_of_its_width_at_each_heads_centre():
    rows = [("a", 0, -1.0, 2.0, 0.5), ("a", 1, 0.0, 0.0, 0.0), ("b", 0, 3.0, 1.0, 1.0)]
    table = pd.DataFrame(rows, columns=["layer", "head", "row", "col", "width"])
    figure = plot_heads(table, title="heads")
    assert [panel.get_title() for panel in figure.axes] == ["a", "b"]
    circle = figure.axes[0].patches[0]
    assert circle.center == (2.0, -1.0) and circle.radius == 0.5 and drawn(figure)
    assert figure.axes[1].get_ylim()[0] > 4 > 0 > figure.axes[1].get_ylim()[1]  # rows grow downwards
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1"]
    gated = plot_heads(table.assign(gate=[0.731, 0.5, float("nan")]), title="heads")
    assert [text.get_text() for axes in gated.axes for text in axes.texts] == ["0 (73%)", "1 (50%)", "0"]
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
