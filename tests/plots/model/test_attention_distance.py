"""Attention distances: what is drawn is what is in the table."""

import numpy as np
import pandas as pd
import pytest
from figure_cases import png, points_of, y_of

from vision.plots.model.attention_distance import MARKERS, plot_attention_distance


def table():
    rows = [
        ("CNN", 1, 0.0, "convolution as attention"),
        ("CNN", 1, 4.0, "convolution as attention"),
        ("CNN", 2, 3.0, "pooling as attention"),
        ("ViT", 1, 10.0, "attention"),
        ("ViT", 1, 20.0, "attention"),
    ]
    return pd.DataFrame(rows, columns=["model", "depth", "distance", "kind"])


def test_one_marker_per_head_one_dash_per_layer_and_one_axis_for_all_models():
    figure = plot_attention_distance(table(), title="distance", notes="n = 1")
    assert png(figure)
    cnn, vit = figure.axes
    assert [panel.get_title() for panel in (cnn, vit)] == ["CNN", "ViT"] and cnn.get_ylim() == vit.get_ylim()
    convolutions, pools, means = (points_of(collection) for collection in cnn.collections)
    assert convolutions == [[1, 0], [1, 4]] and pools == [[2, 3]] and means == [[1, 2], [2, 3]]
    heads, means = (points_of(collection) for collection in vit.collections)
    assert heads == [[1, 10], [1, 20]] and means == [[1, 15]]
    (legend,) = (legend for part in figure.subfigs for legend in part.legends)
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [
        *(f"one head: {kind}" for kind in dict.fromkeys(table()["kind"])),
        "mean of a layer's heads",
    ]
    assert len(set(MARKERS.values())) == len(MARKERS) and set(table()["kind"]) <= set(MARKERS)


@pytest.mark.parametrize("layers", [3, 40])
def test_distances_are_over_their_layers_with_a_line_for_equal_attention(layers):
    rows = [(f"blocks.{i}", i + 1, head, 4.0 + head) for i in range(layers) for head in (0, 1)]
    table = pd.DataFrame(rows, columns=["layer", "depth", "head", "distance"])
    table = table.assign(model="m", kind="attention")
    figure = plot_attention_distance(table, title="t", equal=16.7, notes="n = 1")
    panel = next(axes for axes in figure.axes if axes.get_title() == "m")
    assert panel.get_ylabel() == "mean attention distance (pixels)" and png(figure)
    dots, dashes = (points_of(collection) for collection in panel.collections)
    assert dots[:2] == [[1, 4], [1, 5]] and dashes[0] == [1, 4.5]
    assert y_of(panel.get_lines()[0]).tolist() == [16.7, 16.7]
    low, high = panel.get_ylim()
    assert low < 0 and high > 16.7
    names = [text.get_text() for text in panel.get_xticklabels()]
    assert (names[0] == "1: blocks.0") == (layers == 3)


def test_a_head_without_distance_leaves_its_layers_mean_to_the_others():
    rows = table()
    rows.loc[0, "distance"] = np.nan
    cnn, _ = plot_attention_distance(rows, title="distance").axes
    assert points_of(cnn.collections[-1]) == [[1, 4], [2, 3]]


def test_tables_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="got none named model, kind"):
        plot_attention_distance(table().drop(columns=["model", "kind"]), title="distance")
    with pytest.raises(ValueError, match="must have rows"):
        plot_attention_distance(table().iloc[:0], title="distance")
