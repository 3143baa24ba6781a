"""What holds for every figure: it is one column wide, its text can be read, and nothing is covered."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_cases import NAMES, NOTES, rising_curves
from matplotlib.figure import Figure
from matplotlib.text import Text

from vision import plots
from vision.plots.layout.fonts import without_glyph_warnings

TITLE = "Test accuracy against training-set size: cifar10-jpeg"
LONG = (
    "a" * 90,
    "ViT of a very long name, depth=12, params=1000000, mixer=self_attention",
    "块" * 40,
    "no mixing",
)


def every_figure(names: tuple[str, ...] = NAMES, title: str = TITLE):
    table = rising_curves()
    table["label"] = table["label"].map(dict(zip(NAMES, names, strict=True)))
    both: dict[str, Any] = {"title": title, "notes": NOTES}
    fields = table.assign(field=table["label"].map(names.index), kind=names[0])
    learning = table.assign(seed=0, step=table["train_size"], val_accuracy=table["mean"]).assign(
        train_size=500
    )
    last = table[table["train_size"] == 5000].assign(params=[1e4, 4e4, 2e5, 1e6], macs=[1e6, 2e6, 8e6, 9e6])
    classes = pd.concat([table.assign(**{"class": name}) for name in ("cat", *names[1:3])])
    rows: dict[str, Any] = {"x": "label", "line": "train_size"}
    return {
        "accuracy": lambda: plots.plot_accuracy(table, **both),
        "accuracy in panels": lambda: plots.plot_accuracy(table, line="data", panel="label", **both),
        "accuracy in rows": lambda: plots.plot_accuracy(table, **rows, **both),
        "error": lambda: plots.plot_error(table, **both),
        "field map": lambda: plots.plot_field_map(fields, y="field", panel="kind", **both),
        "gain": lambda: plots.plot_difference(
            table[table["label"] == names[0]], first=names[0], second=names[1], **both
        ),
        "overfit": lambda: plots.plot_train_test_gap(table.assign(mean=0.9), table, **both),
        "steps": lambda: plots.plot_learning_curves(learning, **both),
        "cost": lambda: plots.plot_cost(last, **both),
        "confusion": lambda: plots.plot_confusion(np.eye(4) + 1, names, **both),
        "reliability": lambda: plots.plot_reliability(table.assign(confidence=table["mean"] + 0.1), **both),
        "classes": lambda: plots.plot_class_accuracy(classes, **both),
    }


@cache
def figure_of(name: str) -> Figure:
    return every_figure()[name]()


@pytest.mark.slow
@pytest.mark.parametrize("name", every_figure())
def test_long_names_stay_inside_and_cover_no_panel(name):
    with without_glyph_warnings():
        _check_long_names(every_figure(LONG, title="d" * 200)[name]())


def _check_long_names(figure: Figure) -> None:
    width, height = figure.bbox.size
    for text in texts_of(figure):
        box = text.get_window_extent()
        assert box.x0 > -3 and box.x1 < width + 3 and box.y0 > -3 and box.y1 < height + 3, text.get_text()
    for legend in (legend for body in figure.subfigs for legend in body.legends):
        assert not any(legend.get_window_extent().overlaps(one.get_window_extent()) for one in figure.axes)
    panels = [one for one in figure.axes if one.get_label() != "<colorbar>"]
    assert all(panel.get_window_extent().height > 30 for panel in panels)


def texts_of(figure: Figure) -> list[Text]:
    texts = [one for one in figure.findobj(Text) if isinstance(one, Text)]
    shown = [one for one in texts if one.get_text() and one.get_visible()]
    return [one for one in shown if figure.bbox.overlaps(one.get_window_extent())]


@pytest.mark.slow
@pytest.mark.parametrize("name", every_figure())
def test_a_figure_is_a_column_wide_its_text_can_be_read_on_a_phone_and_lies_inside(name):
    figure = figure_of(name)
    assert figure.get_figwidth() == 5.0
    pixels = 360 / (72 * figure.get_figwidth())  # CSS pixels per point of a figure 360 pixels wide
    texts = texts_of(figure)
    small = {one.get_text() for one in texts if float(one.get_fontsize()) * pixels < 9}
    assert small == {figure.get_supxlabel()} and all(float(one.get_fontsize()) * pixels >= 8 for one in texts)
    assert figure.get_supxlabel().replace("\n", " ") == NOTES.replace("\n", " ")
    boxes = [one.get_window_extent() for one in texts]
    width, height = figure.bbox.size
    assert all(box.x0 > -3 and box.x1 < width + 3 and box.y0 > -3 and box.y1 < height + 3 for box in boxes)


@pytest.mark.parametrize("name", every_figure())
def test_a_legend_covers_no_panel_and_the_title_no_legend(name):
    figure = figure_of(name)
    legends = [legend for body in figure.subfigs for legend in body.legends]
    boxes = [legend.get_window_extent() for legend in legends]
    (title,) = (text.get_window_extent() for text in figure.texts if text.get_text() == figure.get_suptitle())
    for box in boxes:
        assert not any(box.overlaps(panel.get_window_extent()) for panel in figure.axes)
        assert not box.overlaps(title) and box.x0 > 0 and box.x1 < figure.bbox.width
    assert not any(panel.get_legend() for panel in figure.axes)
