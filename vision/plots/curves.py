"""The headline figure: accuracy against training-set size, one line a model; or against any other setting.

>>> plot_accuracy(accuracy_curves(records), title="digits").savefig("accuracy.svg")  # doctest: +SKIP
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

# Okabe and Ito's palette, told apart by the colour-blind; the marker differs as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLES = ("-", "--", ":")
DARK, LIGHT = 0.05, 0.85  # of the colour map, from the smallest of an ordered setting to the largest
Looks = dict[Any, dict[str, Any]]
IN_PANEL = 7  # lines up to which the legend has room in a single panel
LOG_FROM = 8.0  # largest over smallest place from which an axis of numbers is logarithmic


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
) -> Figure:
    """Figure of mean and interval: x along the axis, a colour a line, one panel beside the other.

    Lines of numbers, as fields, run from dark to light. Where x is no size of training sets, a ring marks the
    best place of each line, if its interval excludes the worst one's mean. Where x is a name, as a model's,
    each has a row, best on top.

    Args:
        curves: as `vision.analysis.accuracy_curves` gives them with the same x, line and panel.
        title: stands above the figure.
        notes: stands below it in small print: n, the interval's kind, versions, device, commit.
        metric: name of the vertical axis.
        x, line, panel: the columns that say what goes where.
        xlabel: name of the horizontal axis; None is that of x.
    """
    values = list(dict.fromkeys(curves[panel]))
    ordered = _is_ordered(curves[x])
    lines = _in_order(curves[line])
    means: Any = curves.groupby(x, dropna=False)["mean"].mean()
    rows = list(means.sort_values().index)
    size = (7.2, 5.2) if len(values) == 1 else (4.2, 4.8)
    height = size[1] if ordered else max(2.6, 0.36 * len(rows) + 1.6)
    outside = len(lines) > IN_PANEL or len(values) > 1
    width = size[0] * len(values) + (2.0 if outside else 0.0)
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(1, len(values), squeeze=False, sharey=True)[0]
    looks = _looks(lines)
    for one, value in zip(panels, values, strict=True):
        shown: Any = curves[_same(curves[panel], value)]
        if ordered:
            _along(one, shown, x, line, looks)
            where = f"{value}, " if panel == "data" else ""
            sizes = f"training images ({where}log scale)"
            one.set_xlabel(xlabel or (sizes if x == "train_size" else _short(x)))
        else:
            _by_row(one, shown, rows, x, line, looks)
            one.set_xlabel(f"{metric} (%)")
        one.spines[["top", "right"]].set_visible(False)
        if panel != "data":
            one.set_title(_text(value))
    if ordered:
        panels[0].set_ylabel(f"{metric} (%)")
    heading = "" if line == "label" else _short(line)
    if outside:
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles, labels, frameon=False, loc="outside right center", title=heading)
    else:
        panels[-1].legend(frameon=False, loc="lower right", title=heading)
    figure.suptitle(title, fontsize=12)
    if notes:
        figure.supxlabel(notes, fontsize=7, color="0.35", ha="left", x=0.01)
    return figure


def _along(panel: Axes, curves: pd.DataFrame, x: str, line: str, looks: Looks) -> None:
    for value, rows in _lines(curves, line, looks):
        curve: Any = rows.sort_values(x)
        places, mean = curve[x], 100 * curve["mean"]
        panel.plot(places, mean, markersize=5, label=_text(value), **looks[value])
        colour = looks[value]["color"]
        panel.fill_between(
            places, 100 * curve["low"], 100 * curve["high"], color=colour, alpha=0.15, linewidth=0
        )
        best = curve["mean"].idxmax()
        beyond_doubt = not curve["low"][best] <= min(curve["mean"])
        if x != "train_size" and len(curve) > 1 and beyond_doubt:
            panel.plot(
                places[best], mean[best], "o", markersize=12, markerfacecolor="none", color=colour, zorder=5
            )
    places = sorted(set(curves[x]))
    wide = places[0] > 0 and places[-1] >= LOG_FROM * places[0]
    panel.set_xscale("log" if x == "train_size" or wide else "linear")
    panel.xaxis.set_major_locator(FixedLocator(places))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda place, _: f"{place:,.10g}"))
    panel.grid(axis="y", color="0.9")


def _by_row(panel: Axes, curves: pd.DataFrame, names: list[Any], x: str, line: str, looks: Looks) -> None:
    for value, curve in _lines(curves, line, looks):
        rows, mean = [names.index(name) for name in curve[x]], 100 * curve["mean"]
        reach = [mean - 100 * curve["low"], 100 * curve["high"] - mean]
        look: Any = looks[value] | {"linestyle": "none"}
        panel.errorbar(mean, rows, xerr=reach, capsize=2, markersize=5, label=_text(value), **look)
    panel.set_yticks(range(len(names)), [_text(name) for name in names])
    panel.grid(color="0.9")


def _lines(curves: pd.DataFrame, line: str, looks: Looks) -> list[tuple[Any, pd.DataFrame]]:
    """The rows of each line that a panel has, in the order of the legend."""
    rows: Any = {value: curves[_same(curves[line], value)] for value in looks}
    return [(value, own) for value, own in rows.items() if len(own)]


def _looks(lines: Sequence[Any]) -> Looks:
    """Colour, marker and style of each line; numbers run through the shades of one colour map."""
    shades = colormaps["viridis"]
    numbers = len(lines) > 2 and all(isinstance(value, int | float) for value in lines)
    looks = {}
    for order, value in enumerate(lines):
        shade = shades(DARK + (LIGHT - DARK) * order / max(1, len(lines) - 1))
        looks[value] = {
            "color": shade if numbers else COLOURS[order % len(COLOURS)],
            "marker": MARKERS[order % len(MARKERS)],
            "linestyle": STYLES[0 if numbers else order // len(COLOURS) % len(STYLES)],
        }
    return looks


def _in_order(column: Any) -> list[Any]:
    """Distinct values: numbers ascending, names as they come."""
    values = list(dict.fromkeys(column.tolist()))
    return sorted(values) if _is_ordered(column) else values


def _is_ordered(column: Any) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not column.isna().any()


def _same(column: Any, value: Any) -> pd.Series:
    return column.isna() if pd.isna(value) else column == value


def _short(name: str) -> str:
    """ "model.kwargs.mixer_options.kernel_size" -> "kernel_size"."""
    return ", ".join(part.rpartition(".")[2] for part in name.split(","))


def _text(value: Any) -> str:
    if pd.isna(value):
        return "none"
    return f"{value:,.10g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
