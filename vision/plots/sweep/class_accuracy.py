"""Accuracy of each class against training-set size, one small panel per class.

>>> table = pd.DataFrame({"label": "CNN", "class": ["cat", "cat"], "train_size": [100, 1000]})
>>> figure = plot_class_accuracy(table.assign(mean=[0.5, 0.7], low=0.4, high=0.8), title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vision.plots.layout.chart import add_to_chart, mark_points
from vision.plots.layout.figure import new_figure
from vision.plots.layout.intervals import draw_band
from vision.plots.layout.legend import as_label, legend_above, legend_height
from vision.plots.layout.line_styles import LineStyles, line_styles
from vision.plots.layout.point_texts import point_texts
from vision.plots.layout.small_multiples import extra_height, name_axes, name_panel, small_multiples
from vision.plots.layout.style import WIDTH, styled
from vision.plots.layout.tables import check_table, rows_with
from vision.plots.layout.ticks import set_x_ticks

COLUMNS = ("label", "class", "train_size", "mean", "low", "high")
MOST = 12  # classes that are all shown
ENDS = 5  # of more, so many of the best and of the worst


@styled
def plot_class_accuracy(
    table: pd.DataFrame,
    *,
    title: str,
    notes: str = "",
    metric: str = "test accuracy",
    all_lines: Sequence[object] = (),
) -> Figure:
    """Draw one panel per class, one line per model with its interval.

    Of more than 12 classes only the 5 best and the 5 worst are drawn, by the mean over models at the largest
    size. The small print then names the number.

    Args:
        table: columns label, class, train_size, and mean, low and high in [0, 1].
        title: text above the figure.
        notes: small print below the figure.
        metric: name of the accuracy.
        all_lines: all lines of several figures, so that each has the same style in all of them.

    Raises:
        ValueError: a column is missing, or the table has no rows.
    """
    check_table(table, COLUMNS)
    classes, selection = _chosen(table)
    lines, columns = list(dict.fromkeys(table["label"])), _columns(len(classes))
    height = 1.35 * -(-len(classes) // columns) + 0.6 + legend_height([str(name) for name in lines], WIDTH)
    height += extra_height(map(str, classes), len(classes), columns)
    figure, body = new_figure(title, "; ".join(part for part in (selection, notes) if part), height=height)
    panels, styles = small_multiples(body, len(classes), columns), line_styles(lines, all_lines)
    for panel, name in zip(panels, classes, strict=True):
        _panel(panel, rows_with(table, "class", name), styles)
        name_panel(panel, str(name))
        set_x_ticks(panel, sorted(set(table["train_size"])))
    panels[0].set(ylim=(0, 103), yticks=(0, 50, 100))
    name_axes(body, panels, "training images (log scale)", f"{metric} (%)")
    legend_above(body, panels[0].get_lines())
    return figure


def _chosen(table: pd.DataFrame) -> tuple[list[Any], str]:
    """Return the classes to draw, and a note if these are not all."""
    classes = list(dict.fromkeys(table["class"]))
    if len(classes) <= MOST:
        return classes, ""
    largest = table["train_size"].max()
    last = rows_with(table, "train_size", largest)
    ranked = last.groupby("class")["mean"].mean().sort_values(ascending=False).index.tolist()
    text = (
        f"the {ENDS} best and {ENDS} worst of {len(classes)} classes at {largest:,} images, mean over models"
    )
    return ranked[:ENDS] + ranked[-ENDS:], text


def _columns(count: int) -> int:
    return 4 if count > 2 * ENDS else -(-count // 2) if count > ENDS else count


def _panel(panel: Axes, rows: pd.DataFrame, styles: LineStyles) -> None:
    panel.set_xscale("log")
    for name, look in styles.items():
        curve = rows_with(rows, "label", name).sort_values("train_size")
        sizes, mean = curve["train_size"], 100 * curve["mean"]
        line = panel.plot(sizes, mean, label=as_label(name), **look, markersize=3, linewidth=1.1)
        low, high = 100 * curve["low"], 100 * curve["high"]
        add_to_chart(panel, name, *line, *draw_band(panel, sizes, low, high, look["color"]))
        n = curve["n"].tolist() if "n" in curve else None
        texts = point_texts(sizes, mean, low, high, n=n, x="train_size", unit="%")
        mark_points(panel, name, sizes, mean, texts)
