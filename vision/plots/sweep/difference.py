"""The accuracy of one model minus that of others, against training-set size.

>>> differences = pd.DataFrame({"train_size": [100, 1000], "mean": [0.1, 0.0], "low": -0.1, "high": 0.2})
>>> figure = plot_difference(differences, first="CNN", second="ViT", title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from vision.plots.layout.figure import new_figure
from vision.plots.layout.intervals import draw_band
from vision.plots.layout.legend import as_label, legend_above, legend_height
from vision.plots.layout.line_styles import LineStyle, LineStyles, line_styles
from vision.plots.layout.style import BAND, INK, MUTED, PAPER, WIDTH, styled
from vision.plots.layout.tables import check_table
from vision.plots.layout.ticks import set_x_ticks

COLUMNS = ("train_size", "mean", "low", "high")
ROOM = 0.16  # share of the axis above and below the lines, for the texts that name who is ahead
Interval = tuple[float, float, float]


@styled
def plot_difference(
    differences: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    first: str,
    second: str = "the other",
    title: str,
    notes: str = "",
    crossings: Sequence[Interval] = (),
    all_lines: Sequence[Any] = (),
) -> Figure:
    """Draw accuracy differences with intervals; above 0 the first model is ahead.

    A hollow marker means that the interval contains 0, or that there is none.

    Args:
        differences: columns train_size, and mean, low and high of the first model's accuracy minus the
            second's, as shares; or one such table for each of several other models, by label.
        first: label of the first model.
        second: label of the other model, or one name for several others.
        title: text above the figure.
        notes: small print below the figure.
        crossings: low end, estimate and high end of each training-set size at which the lead changes.
        all_lines: all lines of several figures, so that each has the same style in all of them.

    Raises:
        ValueError: a column is missing, or the table has no rows.
    """
    tables = {second: differences} if isinstance(differences, pd.DataFrame) else dict(differences)
    for name, table in tables.items():
        check_table(table, COLUMNS, name=f"differences to {name}")
    # Hollow markers have a meaning here.
    own = line_styles([first, *tables], all_lines)
    styles: LineStyles = {name: {**look, "fillstyle": "full"} for name, look in own.items()}
    handles = _legend(styles, first, list(tables), crossings)
    height = legend_height([str(one.get_label()) for one in handles], WIDTH)
    figure, body = new_figure(title, notes, height=3.1 + height)
    panel = body.subplots()
    panel.set(xscale="log", xlabel="training images (log scale)", ylabel=f"gain of {first} (points)")
    panel.axhline(0, color=INK, linewidth=0.9)
    for name, table in tables.items():
        _line(panel, table.sort_values("train_size"), styles[name], f"over {name}")
    _ahead(panel, pd.concat(tables.values()), first, second)
    set_x_ticks(panel, sorted({size for table in tables.values() for size in table["train_size"]}))
    for crossing in crossings:
        _cross(panel, crossing)
    legend_above(body, handles)
    return figure


def _line(panel: Axes, table: pd.DataFrame, look: LineStyle, label: str) -> None:
    sizes, mean, low, high = (table[name] * (1 if name == "train_size" else 100) for name in COLUMNS)
    draw_band(panel, sizes, low, high, look["color"])
    panel.plot(sizes, mean, label=label, **look)
    open_ = ~((low > 0) | (high < 0))  # missing ends compare as False
    hollow: LineStyle = {**look, "linestyle": "none"}
    panel.plot(sizes[open_], mean[open_], label="_hollow", **hollow, markerfacecolor=PAPER, zorder=3)


def _ahead(panel: Axes, table: pd.DataFrame, first: str, second: str) -> None:
    ends = 100 * table[["mean", "low", "high"]].to_numpy()
    low, high = min(0.0, float(pd.Series(ends.ravel()).min())), max(0.0, float(pd.Series(ends.ravel()).max()))
    room = ROOM * max(high - low, 1.0)
    panel.set_ylim(low - room, high + room)
    panel.yaxis.set_major_formatter(FuncFormatter(_signed))
    for y, align, text in ((0.99, "top", f"▲ {first} ahead"), (0.01, "bottom", f"▼ {second} ahead")):
        panel.text(0.02, y, text, va=align, transform=panel.transAxes, color=INK)


def _cross(panel: Axes, crossing: Interval) -> None:
    low, size, high = crossing
    left, right = panel.get_xlim()
    panel.axvspan(max(low, left), min(high, right), color=MUTED, alpha=BAND, linewidth=0, zorder=0)
    if left <= size <= right:
        panel.axvline(size, color=MUTED, linestyle="--", linewidth=1.0)
    panel.set_xlim(left, right)


def _legend(
    styles: LineStyles, first: str, others: list[str], crossings: Sequence[Interval]
) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D([], [], label=as_label(f"{first} over {name}"), **styles[name]) for name in others
    ]
    hollow = Line2D([], [], label="interval holds 0", ls="none", marker="o", mfc=PAPER, color=MUTED)
    handles.append(hollow)
    for low, size, high in crossings:
        span = f"{low:,.0f} to {high:,.0f}" if isfinite(high) else f"{low:,.0f} or more"
        handles.append(Patch(color=MUTED, alpha=2 * BAND, label=f"crossing: {size:,.0f} ({span})"))
    return handles


def _signed(points: float, _: int) -> str:
    return f"{points:+.10g}".replace("-", "−") if points else "0"
