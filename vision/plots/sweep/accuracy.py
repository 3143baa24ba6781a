"""Accuracy against training-set size, one line per model; or against any other setting.

>>> curves = pd.DataFrame({"data": "digits", "label": "CNN", "train_size": [100, 1000], "mean": [0.5, 0.7]})
>>> figure = plot_accuracy(curves.assign(low=[0.4, 0.6], high=[0.6, 0.8]), title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vision.plots.layout.figure import new_figure
from vision.plots.layout.intervals import draw_band, errorbar_lengths
from vision.plots.layout.legend import as_label, handles_of, legend_above, legend_height
from vision.plots.layout.line_styles import LineStyle, LineStyles, line_styles
from vision.plots.layout.small_multiples import height_of, name_axes, small_multiples
from vision.plots.layout.style import BAND, WIDTH, styled
from vision.plots.layout.tables import check_table, rows_with
from vision.plots.layout.ticks import set_x_ticks
from vision.text import short_name, value_text

BODY = 3.2  # height of a single panel in inches
FULL_OPACITY_LINES = 7  # with more lines the bands are fainter
LOG_FROM = 8.0  # ratio of largest to smallest x from which the axis is logarithmic


@styled
def plot_accuracy(
    curves: pd.DataFrame,
    *,
    title: str,
    notes: str = "",
    metric: str = "test accuracy",
    x: str = "train_size",
    line: str = "label",
    panel: str = "data",
    xlabel: str | None = None,
    centre: str = "mean",
) -> Figure:
    """Draw centre and interval against x: one colour per line, panels in rows of two.

    Lines of numbers, such as field sizes, run from dark to light. If x is not the training-set size, a ring
    marks the best x of each line whose interval excludes the lowest centre. If x is a name, such as a model,
    each name has one row, with the best on top.

    Args:
        curves: as `vision.statistics.accuracy_curves` returns them with the same x, line and panel.
        title: text above the figure.
        notes: small print below the figure, such as n, interval, versions, device and commit.
        metric: name of the y axis.
        x, line, panel: the columns for the x axis, the lines and the panels.
        xlabel: name of the x axis; None is the name of x.
        centre: the column to draw: mean, median or iqm.

    Raises:
        ValueError: a column is missing, or the table has no rows.
    """
    check_table(curves, (panel, line, x, centre, "low", "high"), name="curves")
    values = list(dict.fromkeys(curves[panel]))
    ordered, styles = _is_ordered(curves[x]), line_styles(_in_order(curves[line]))
    shown = [value_text(value) for value in styles]
    names = curves.groupby(x, dropna=False)[centre].mean().sort_values().index.tolist()
    body_height = BODY if ordered else 0.26 * len(names) + 0.6
    height = body_height if len(values) == 1 else height_of(len(values), row=2.1 if ordered else body_height)
    figure, body = new_figure(title, notes, height=height + legend_height(shown, WIDTH))
    panels = small_multiples(body, len(values))
    for one, value in zip(panels, values, strict=True):
        own = rows_with(curves, panel, value)
        if ordered:
            _along(one, own, x, line, styles, centre)
        else:
            _by_row(one, own, names, x, line, styles, centre)
        if panel != "data" or len(values) > 1:
            one.set_title(value_text(value))
    where = f"{values[0]}, " if panel == "data" and len(values) == 1 else ""
    sizes = f"training images ({where}log scale)"
    along = xlabel or (sizes if x == "train_size" else _short(x))
    share = f"{metric} (%)"
    name_axes(body, panels, along if ordered else share, share if ordered else "")
    heading = "" if line == "label" else _short(line)
    legend_above(body, handles_of(panels, shown), title=heading)
    return figure


def _along(panel: Axes, curves: pd.DataFrame, x: str, line: str, styles: LineStyles, centre: str) -> None:
    for value, rows in _lines(curves, line, styles):
        curve = rows.sort_values(x)
        places, middle, look = curve[x], 100 * curve[centre], styles[value]
        panel.plot(places, middle, label=as_label(value_text(value)), **look)
        ends = 100 * curve["low"], 100 * curve["high"]
        draw_band(
            panel, places, *ends, look["color"], opacity=BAND * min(1.0, FULL_OPACITY_LINES / len(styles))
        )
        best = int(curve[centre].argmax())
        is_best = not curve["low"].iloc[best] <= min(curve[centre])
        if x != "train_size" and len(curve) > 1 and is_best:
            panel.plot(
                places.iloc[best],
                middle.iloc[best],
                "o",
                markersize=10,
                markerfacecolor="none",
                color=look["color"],
                zorder=5,
            )
    places = sorted(set(curves[x]))
    wide = places[0] > 0 and places[-1] >= LOG_FROM * places[0]
    panel.set_xscale("log" if x == "train_size" or wide else "linear")
    set_x_ticks(panel, places)


def _by_row(
    panel: Axes, curves: pd.DataFrame, names: list[Any], x: str, line: str, styles: LineStyles, centre: str
) -> None:
    for value, curve in _lines(curves, line, styles):
        rows, parts = [names.index(name) for name in curve[x]], [100 * curve[c] for c in ("low", "high")]
        look: LineStyle = {**styles[value], "linestyle": "none"}
        middle = 100 * curve[centre]
        panel.errorbar(
            middle, rows, xerr=errorbar_lengths(middle, *parts), label=as_label(value_text(value)), **look
        )
    panel.set_yticks(range(len(names)), [value_text(name) for name in names])
    panel.grid(True, axis="both")


def _lines(curves: pd.DataFrame, line: str, styles: LineStyles) -> list[tuple[Any, pd.DataFrame]]:
    """Return the rows of each line in a panel, in the order of the legend."""
    rows = [(value, rows_with(curves, line, value)) for value in styles]
    return [(value, own) for value, own in rows if len(own)]


def _in_order(column: "pd.Series[Any]") -> list[Any]:
    """Return distinct values: numbers ascending, names in the order of the table."""
    values = list(dict.fromkeys(column.tolist()))
    return sorted(values) if _is_ordered(column) else values


def _is_ordered(column: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(column) and not column.isna().any()


def _short(name: str) -> str:
    """ "model.kwargs.mixer_options.kernel_size" -> "kernel_size"."""
    parts = [short_name(part) for part in name.split(",")]
    return ", ".join("training images" if part == "train_size" else part for part in parts)
