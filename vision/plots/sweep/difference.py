"""The accuracy of one model minus that of others, against training-set size.

>>> differences = pd.DataFrame({"train_size": [100, 1000], "mean": [0.1, 0.0], "low": -0.1, "high": 0.2})
>>> figure = plot_difference(differences, first="CNN", second="ViT", title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from vision.plots.layout.chart import add_to_chart, mark_points
from vision.plots.layout.coincident import strokes_of
from vision.plots.layout.end_labels import WIDEST, End, by_last_value, label_width, place_end_labels
from vision.plots.layout.figure import new_figure, shortened
from vision.plots.layout.intervals import draw_band
from vision.plots.layout.legend import as_label, legend_above, legend_height
from vision.plots.layout.line_styles import LineStyles, SharedLineStyle, line_styles
from vision.plots.layout.point_texts import point_texts
from vision.plots.layout.run_dots import draw_runs
from vision.plots.layout.style import INK, MUTED, PAPER, STYLE, WIDTH, styled
from vision.plots.layout.tables import check_table
from vision.plots.layout.ticks import set_x_ticks
from vision.plots.sweep.crossing_spans import Interval, crossing_handle, draw_crossing

COLUMNS = ("train_size", "mean", "low", "high")
ROOM = 0.16  # share of the axis above and below the lines, for the texts that name who is ahead
PAIRS = "dots: single pairs of runs"


@styled
def plot_difference(
    differences: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    first: str,
    second: str = "the other",
    title: str,
    notes: str = "",
    crossings: Sequence[Interval] = (),
    all_lines: Sequence[object] = (),
    pairs: Mapping[str, pd.DataFrame] | None = None,
) -> Figure:
    """Draw accuracy differences with intervals; above 0 the first model is ahead.

    Several other models are named at the ends of their lines where there is room. A hollow
    marker means that the interval contains 0, or that there is none.

    Args:
        differences: columns train_size, and mean, low and high of the first model's accuracy minus the
            second's, as shares; or one such table for each of several other models, by label.
        first: label of the first model.
        second: label of the other model, or one name for several others.
        title: text above the figure.
        notes: small print below the figure.
        crossings: low end, estimate and high end of each training-set size at which the lead changes.
        all_lines: all lines of several figures, so that each has the same style in all of them.

        pairs: single pairs of runs to draw as faint dots, by the label of the other model. Tables with
            train_size and difference, as `vision.statistics.paired_runs` returns them.

    Raises:
        ValueError: a column is missing, or the table has no rows.
    """
    tables = {second: differences} if isinstance(differences, pd.DataFrame) else dict(differences)
    for name, table in tables.items():
        check_table(table, COLUMNS, name=f"differences to {name}")
    styles = _styles(first, tables, all_lines)
    drawn = {name: pairs[name] for name in tables if name in pairs} if pairs else {}
    notes = "; ".join(part for part in (notes, PAIRS if drawn else "") if part)
    figure, body = new_figure(title, notes, height=3.1)
    panel = body.subplots()
    panel.set(
        xscale="log",
        xlabel="training images (log scale)",
        ylabel=f"lead of {_short(first, 1.4)} (points)",
    )
    panel.axhline(0, color=INK, linewidth=0.9)
    _draw_lines(panel, tables, styles, drawn)
    _ahead(panel, pd.concat(tables.values()), drawn, first, second)
    set_x_ticks(panel, _sizes(tables))
    for crossing in crossings:
        draw_crossing(panel, crossing)
    ends = {panel: _ends(tables, styles)}
    beside = label_width(list(tables)) <= WIDEST * WIDTH and place_end_labels(ends)
    others = [] if beside else by_last_value(ends, list(tables))
    all_known = all(bool(table["low"].notna().all()) for table in tables.values())
    handles = _legend(styles, first, others, crossings, all_known=all_known)
    legend_above(body, handles)
    names = [str(handle.get_label()) for handle in handles]
    figure.set_figheight(figure.get_figheight() + legend_height(names, WIDTH))
    set_x_ticks(panel, _sizes(tables))
    return figure


def _styles(first: str, tables: Mapping[str, pd.DataFrame], all_lines: Sequence[object]) -> LineStyles:
    """Return the styles of the lines, with full markers, as hollow ones have a meaning here."""
    own = line_styles([first, *tables], all_lines)
    return {name: {**look, "fillstyle": "full"} for name, look in own.items()}


def _sizes(tables: Mapping[str, pd.DataFrame]) -> list[int]:
    return sorted({size for table in tables.values() for size in table["train_size"]})


def _draw_lines(
    panel: Axes, tables: Mapping[str, pd.DataFrame], styles: LineStyles, pairs: Mapping[str, pd.DataFrame]
) -> None:
    """Draw the line of each other model, over its single pairs of runs; lines that coincide share dashes."""
    strokes = strokes_of(tables, "train_size")
    for name, table in tables.items():
        look: SharedLineStyle = {**styles[name], **strokes[name]}
        if name in pairs:
            draw_runs(panel, pairs[name]["train_size"], 100 * pairs[name]["difference"], look, name=name)
        _line(panel, table.sort_values("train_size"), look, name)


def _ends(tables: Mapping[str, pd.DataFrame], styles: LineStyles) -> list[End]:
    """Return where the lines end; nowhere for a single one, which the title names."""
    if len(tables) == 1:
        return []
    last = {name: table.sort_values("train_size").iloc[-1] for name, table in tables.items()}
    return [
        End(name, float(row["train_size"]), 100 * float(row["mean"]), styles[name]["color"])
        for name, row in last.items()
    ]


def _line(panel: Axes, table: pd.DataFrame, look: SharedLineStyle, name: str) -> None:
    sizes, mean, low, high = (table[column] * (1 if column == "train_size" else 100) for column in COLUMNS)
    band = draw_band(panel, sizes, low, high, look["color"])
    line = panel.plot(sizes, mean, label=f"over {name}", **look)
    open_ = ~((low > 0) | (high < 0))  # missing ends compare as False
    hollow: SharedLineStyle = {**look, "linestyle": "none"}
    markers = panel.plot(
        sizes[open_], mean[open_], label="_hollow", **hollow, markerfacecolor=PAPER, zorder=3
    )
    add_to_chart(panel, name, *band, *line, *markers)
    n = table["n"].tolist() if "n" in table else None
    texts = point_texts(sizes, mean, low, high, n=n, x="train_size", unit=" points", signed=True)
    mark_points(panel, name, sizes, mean, texts)


def _ahead(
    panel: Axes, table: pd.DataFrame, pairs: Mapping[str, pd.DataFrame], first: str, second: str
) -> None:
    single = [own["difference"].to_numpy() for own in pairs.values()]
    ends = 100 * np.concatenate([table[["mean", "low", "high"]].to_numpy().ravel(), *single, [0.0]])
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    room = ROOM * max(high - low, 1.0)
    panel.set_ylim(low - room, high + room)
    panel.yaxis.set_major_formatter(FuncFormatter(_signed))
    for y, align, sign, name in ((0.99, "top", "▲", first), (0.01, "bottom", "▼", second)):
        text = f"{sign} {_short(name)} ahead"
        panel.text(0.02, y, text, va=align, transform=panel.transAxes, color=INK)


def _legend(
    styles: LineStyles, first: str, others: list[str], crossings: Sequence[Interval], *, all_known: bool
) -> list[Line2D | Patch]:
    lines = [Line2D([], [], label=as_label(f"{first} over {name}"), **styles[name]) for name in others]
    meaning = "interval contains 0" if all_known else "interval contains 0, or a single pair of runs"
    hollow = Line2D([], [], label=meaning, ls="none", marker="o", mfc=PAPER, color=MUTED)
    return [*lines, hollow, *map(crossing_handle, crossings)]


def _short(name: str, width: float = 0.5 * WIDTH) -> str:
    return shortened(name, width, STYLE["font.size"])


def _signed(points: float, _: int) -> str:
    return f"{points:+.10g}".replace("-", "−") if points else "0"
