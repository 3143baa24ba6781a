"""Train and test accuracy against training-set size, and the gap between them.

>>> test = pd.DataFrame({"label": "CNN", "train_size": [100, 1000], "mean": 0.5, "low": 0.4, "high": 0.6})
>>> figure = plot_train_test_gap(test.assign(mean=0.9, low=0.8, high=1.0), test, title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from vision.plots.layout.chart import mark_points
from vision.plots.layout.figure import new_figure
from vision.plots.layout.intervals import draw_band
from vision.plots.layout.legend import legend_above, legend_height
from vision.plots.layout.line_styles import LineStyle, line_styles
from vision.plots.layout.point_texts import point_texts
from vision.plots.layout.small_multiples import (
    extra_height,
    height_of,
    name_axes,
    name_panel,
    small_multiples,
)
from vision.plots.layout.style import BAND, MUTED, PAPER, WIDTH, styled
from vision.plots.layout.tables import check_table, rows_with
from vision.plots.layout.ticks import set_x_ticks

LEAST = 12  # points; the number of a smaller gap does not fit into it
LINES = ("train (hollow)", "test", "gap, in points")


@styled
def plot_train_test_gap(
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    title: str,
    notes: str = "",
    x: str = "train_size",
    line: str = "label",
    all_lines: Sequence[object] = (),
) -> Figure:
    """Draw one panel per model: train (dashed, hollow) and test (solid) accuracy, and the gap in points.

    A wide gap is overfitting; two low curves are underfitting.

    Args:
        train, test: of one data set, as `vision.statistics.accuracy_curves` returns them with metric
            train_accuracy and test_accuracy.
        title: text above the figure.
        notes: small print below the figure.
        x, line: the columns for the x axis and for the lines.
        all_lines: all lines of several figures, so that each has the same style in all of them.

    Raises:
        ValueError: a column is missing, the table has no rows, or one of the tables has a point that is
            missing in the other.
    """
    for name, table in (("train", train), ("test", test)):
        check_table(table, (line, x, "mean", "low", "high"), name=name)
    if (points := _points(train, x, line)) != (others := _points(test, x, line)):
        raise ValueError(
            f"train and test must have one row for each {line} and {x}, got {len(points)} and {len(others)} "
            f"rows; unmatched: {sorted(set(points) ^ set(others), key=str)[:3]}"
        )
    lines = list(dict.fromkeys(test[line]))
    height = height_of(len(lines)) if len(lines) > 1 else 3.2
    height += extra_height(map(str, lines), len(lines))
    figure, body = new_figure(title, notes, height=height + legend_height(LINES, WIDTH))
    panels, styles = small_multiples(body, len(lines)), line_styles(lines, all_lines)
    for panel, name in zip(panels, lines, strict=True):
        one, other = (rows_with(table, line, name).sort_values(x) for table in (train, test))
        _panel(panel, one, other, x, styles[name], str(name))
        name_panel(panel, str(name))
        set_x_ticks(panel, sorted(set(test[x])))
    panels[0].set_ylim(0, 104)
    name_axes(body, panels, "training images (log scale)" if x == "train_size" else x, "accuracy (%)")
    legend_above(body, _legend())
    return figure


def _points(table: pd.DataFrame, x: str, line: str) -> list[tuple[object, ...]]:
    return sorted(table[[line, x]].itertuples(index=False, name=None), key=str)


def _panel(panel: Axes, train: pd.DataFrame, test: pd.DataFrame, x: str, look: LineStyle, name: str) -> None:
    panel.set_xscale("log")
    panel.margins(x=0.12)  # room for the first gap's number
    colour, sizes = look["color"], list(test[x])
    panel.fill_between(
        sizes, 100 * test["mean"], 100 * train["mean"], color=MUTED, alpha=BAND / 2, linewidth=0
    )
    dashed: LineStyle = {**look, "linestyle": "--", "fillstyle": "full"}
    solid: LineStyle = {**look, "linestyle": "-", "fillstyle": "full"}
    draw_band(panel, sizes, 100 * train["low"], 100 * train["high"], colour)
    panel.plot(sizes, 100 * train["mean"], label="train", **dashed, markerfacecolor=PAPER)
    draw_band(panel, sizes, 100 * test["low"], 100 * test["high"], colour)
    panel.plot(sizes, 100 * test["mean"], label="test", **solid)
    for part, table in (("train", train), ("test", test)):
        middle, low, high = (100 * table[column] for column in ("mean", "low", "high"))
        n = table["n"].tolist() if "n" in table else None
        texts = point_texts(sizes, middle, low, high, n=n, x=x, unit=f"% {part}")
        mark_points(panel, name, sizes, middle, texts)
    for size, high, low in zip(sizes, 100 * train["mean"], 100 * test["mean"], strict=True):
        if high - low >= LEAST:
            panel.text(size, (high + low) / 2, f"{high - low:.0f}", ha="center", va="center")


def _legend() -> list[Line2D | Patch]:
    train = Line2D([], [], color=MUTED, ls="--", marker="o", mfc=PAPER, label=LINES[0])
    test = Line2D([], [], color=MUTED, ls="-", marker="o", label=LINES[1])
    return [train, test, Patch(color=MUTED, alpha=BAND, label=LINES[2])]
