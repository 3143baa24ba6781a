"""Accuracy curves: what is drawn is what is in the table."""

from io import BytesIO
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from figure_cases import (
    NAMES,
    SIZES,
    bands,
    curves,
    end_labels,
    labelled,
    legend_texts,
    one_run,
    png,
    position_of,
    rising_curves,
    text_boxes,
    x_of,
    y_of,
)
from matplotlib.text import Text
from PIL import Image

from vision.plots import plot_accuracy
from vision.plots.layout.chart import Chart
from vision.plots.layout.style import COLOURS


@pytest.mark.parametrize("centre", ["mean", "median", "iqm"])
def test_accuracy_draws_the_column_that_is_asked_for(centre):
    table = curves()
    table = table.assign(median=table["mean"] + 0.01, iqm=table["mean"] - 0.01)
    (panel,) = plot_accuracy(table, title="t", centre=centre).axes
    for label, line in labelled(panel).items():
        np.testing.assert_allclose(y_of(line), 100 * table.loc[table["label"] == label, centre])
        assert x_of(line).tolist() == list(SIZES)
    ends = bands(panel)[0].get_paths()[0].get_extents()
    assert (ends.y0, ends.y1) == pytest.approx((25, 75))
    with pytest.raises(ValueError, match=r"curves must have columns .*, got none named trimmed"):
        plot_accuracy(table, title="t", centre="trimmed")


def test_values_with_a_unit_are_drawn_as_they_are():
    table = curves()
    figure = plot_accuracy(table, title="t", metric="width", unit=" tokens")
    for label, line in labelled(figure.axes[0]).items():
        np.testing.assert_allclose(y_of(line), table.loc[table["label"] == label, "mean"])
    assert isinstance(figure, Chart) and all(" tokens (" in mark.text for mark in figure.marks)
    assert "width (tokens)" in [text.get_text() for text in figure.findobj(Text)]


def test_one_run_has_no_band():
    (panel,) = plot_accuracy(one_run(curves()), title="t").axes
    assert not panel.collections and len(labelled(panel)) == 2


def test_lines_are_named_at_their_ends_in_the_order_of_their_last_values():
    (panel,) = (figure := plot_accuracy(rising_curves(), title="t")).axes
    assert not legend_texts(figure)
    boxes = text_boxes(texts := end_labels(panel))
    heights = {text.get_text(): box.y0 for text, box in zip(texts, boxes, strict=True)}
    assert sorted(heights, key=lambda name: heights[name]) == list(NAMES)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for text in end_labels(panel):
        assert text.xy == (5000, pytest.approx(100 * (0.45 + 0.03 * NAMES.index(text.get_text()))))


def test_names_at_one_height_stand_apart_and_too_many_go_to_a_legend_ranked():
    means = {f"model {i}": (0.3, 0.4, 0.5 + 1e-5 * (i % 3)) for i in range(12)}
    (panel,) = plot_accuracy(curves(means), title="t").axes
    boxes = text_boxes(end_labels(panel))
    assert len(boxes) == 12 and not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    many = {f"model {i}": (0.1, 0.2, (i * 7 % 30) / 50) for i in range(30)}
    figure = plot_accuracy(curves(many), title="t")
    ranked = sorted(many, key=lambda name: many[name][-1], reverse=True)
    assert legend_texts(figure) == ranked and not end_labels(figure.axes[0])


def test_few_panels_are_stacked_for_their_names_many_are_in_rows_of_two_with_a_legend():
    long = {"a model of this name": [0.1, 0.2, 0.3], "b": [0.2, 0.3, 0.4]}
    figure = plot_accuracy(pd.concat([curves(long, data=name) for name in ("a", "b")]), title="t")
    assert [position_of(panel).rowspan.start for panel in figure.axes] == [0, 1]
    assert [len(end_labels(panel)) for panel in figure.axes] == [2, 2] and not legend_texts(figure)
    figure = plot_accuracy(pd.concat([curves(long, data=name) for name in "abcd"]), title="t")
    positions = [position_of(panel) for panel in figure.axes]
    assert [(one.rowspan.start, one.colspan.start) for one in positions] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [panel.get_title() for panel in figure.axes] == ["a", "b", "c", "d"]
    assert legend_texts(figure) == ["b", "a model of this name"] and figure.get_figwidth() == 5.0
    (body,) = figure.subfigs
    assert (body.get_supxlabel(), body.get_supylabel()) == (
        "training images (log scale)",
        "test accuracy (%)",
    )
    shown = [panel.xaxis.get_tick_params() for panel in figure.axes]
    assert (
        [one["labelbottom"] for one in shown]
        == [one["bottom"] for one in shown]
        == [False, False, True, True]
    )


def test_a_line_that_only_one_panel_has_is_named_there():
    table = pd.concat([curves(), curves({"MLP": [0.1, 0.2, 0.3]}, data="other")])
    panels = plot_accuracy(table, title="t").axes
    assert [{text.get_text() for text in end_labels(panel)} for panel in panels] == [{"CNN", "ViT"}, {"MLP"}]


def runs(spread=0.01) -> pd.DataFrame:
    rows = curves().loc[[0, 0, 0, 1, 1, 1]].assign(score=lambda t: t["mean"] + [0, spread, -spread] * 2)
    return rows[["data", "label", "train_size", "score"]]


def test_single_runs_are_faint_dots_behind_the_means():
    figure = plot_accuracy(curves(), title="t", notes="n = 3", runs=runs())
    dots = [line for line in figure.axes[0].get_lines() if line.get_label() == "_runs"]
    np.testing.assert_allclose(y_of(dots[0]), [30, 31, 29, 50, 51, 49])
    assert (dots[0].get_alpha() or 1) < 0.5 and figure.get_supxlabel() == "n = 3; dots: single runs"
    many = {f"model {i}": (0.1, 0.2, 0.3) for i in range(13)}
    own = runs().assign(label="model 0")
    figure = plot_accuracy(curves(many), title="t", runs=own)
    assert all(line.get_label() != "_runs" for line in figure.axes[0].get_lines())


def test_runs_that_are_all_or_nothing_are_dots_side_by_side_without_a_band():
    table = curves().assign(median=0.9, iqm=0.5)
    figure = plot_accuracy(table, title="t", runs=runs(0.4), intervals=False, centre="median")
    (panel,) = figure.axes
    dots = [line for line in panel.get_lines() if line.get_label() == "_runs"]
    assert not panel.collections and (dots[0].get_alpha() or 1) > 0.5
    places = [line.get_transform().transform((100, 50.0))[0] for line in dots]
    assert places[1] - places[0] > 10 and all(
        line.get_marker() == "none" for line in labelled(panel).values()
    )


def test_lines_that_coincide_share_their_dashes_and_markers():
    means = {"CNN": (0.3, 0.5, 0.7), "CNN as attention": (0.3, 0.5, 0.7), "ViT": (0.2, 0.5, 0.8)}
    lines = labelled(plot_accuracy(curves(means), title="t").axes[0])
    marks = [lines[name].get_markevery() for name in means]
    assert marks == [(0, 2), (1, 2), None]
    assert lines["CNN"].is_dashed() and lines["CNN as attention"].is_dashed() and not lines["ViT"].is_dashed()
    image = np.asarray(Image.open(BytesIO(png(plot_accuracy(curves(means), title="t")))).convert("RGB"))
    counts = []
    for colour in COLOURS[:2]:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        counts.append((np.abs(image.astype(int) - wanted).max(axis=-1) < 8).sum())
    assert min(counts) > 100 and max(counts) < 2 * min(counts)


def test_a_point_tells_its_value_its_interval_and_n():
    figure = plot_accuracy(curves(), title="t")
    assert isinstance(figure, Chart) and figure.series == ["CNN", "ViT"]
    texts = [(mark.series, mark.text) for mark in figure.marks]
    assert texts[0] == ("CNN", "100 images: 30.0% (25.0 to 35.0, n = 3)") and len(texts) == 6
    alone = plot_accuracy(one_run(curves()), title="t")
    assert isinstance(alone, Chart)
    assert {mark.text for mark in alone.marks} >= {"100 images: 30.0% (n = 1)"}
