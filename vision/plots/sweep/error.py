"""Error against training-set size, both on log scales, with intervals and fitted curves.

>>> curves = pd.DataFrame({"label": "CNN", "train_size": [100, 1000], "mean": [0.5, 0.7]})
>>> figure = plot_error(curves.assign(low=[0.4, 0.6], high=[0.6, 0.8]), title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vision.plots.layout.chart import add_to_chart, mark_points
from vision.plots.layout.coincident import strokes_of
from vision.plots.layout.end_labels import WIDEST, End, by_last_value, label_width, place_end_labels
from vision.plots.layout.figure import new_figure
from vision.plots.layout.intervals import errorbar_lengths
from vision.plots.layout.legend import add_legend, as_label
from vision.plots.layout.line_styles import SharedLineStyle, line_styles
from vision.plots.layout.point_texts import point_texts
from vision.plots.layout.run_dots import MOST_LINES, NOTE, draw_runs
from vision.plots.layout.style import STYLES, WIDTH, styled
from vision.plots.layout.tables import check_table, rows_with
from vision.plots.layout.ticks import percent_axis, set_x_ticks
from vision.plots.sweep.fits import LEAST, THIN, Fit, draw_fit
from vision.text import short_name

MOST_FORMULAS = 3  # fits up to which the small print has their formulas


@styled
def plot_error(
    curves: pd.DataFrame,
    fits: Sequence[Fit] = (),
    *,
    title: str,
    notes: str = "",
    x: str = "train_size",
    line: str = "label",
    all_lines: Sequence[object] = (),
    runs: pd.DataFrame | None = None,
    scale: Literal["log", "linear"] = "log",
) -> Figure:
    """Draw error with its interval, one marker and colour per line; a power law is a straight line.

    The lines are named at their ends where there is room. Lines that coincide share their dashes.

    A fit is a thin line with a band, from the smallest to the largest of its sizes. The small print has the
    formulas of up to three fits. The points of a line without a fit are joined.

    Args:
        curves: of one data set, as `vision.statistics.accuracy_curves` returns them; the error is 1 minus
            the mean accuracy.
        fits: fits of some or all lines.
        title: text above the figure.
        notes: small print below the figure.
        x, line: the columns for the x axis and for the lines.
        all_lines: all lines of several figures, so that each has the same style in all of them.
        runs: single runs to draw as faint dots, as `vision.statistics.run_scores` returns them.
        scale: of both axes.

    Raises:
        ValueError: a column is missing, the table has no rows, a line has a size twice,
            or a fit is of none of the lines.
    """
    check_table(curves, (line, x, "mean", "low", "high"), name="curves")
    _check(curves, fits, x, line)
    tables = {name: rows_with(curves, line, name).sort_values(x) for name in dict.fromkeys(curves[line])}
    runs = runs if len(tables) <= MOST_LINES else None
    figure, body = new_figure(title, _notes(notes, fits, runs), height=3.3)
    panel, x_values = body.subplots(), sorted(set(curves[x]))
    panel.set(xscale=scale, xlabel=_x_label(x, scale), ylabel="test error")
    styles, strokes = line_styles(list(tables), all_lines), strokes_of(tables, x)
    fitted = {fit.label for fit in fits}
    for name, rows in tables.items():
        look: SharedLineStyle = {**styles[name], **strokes[name]}
        if runs is not None:
            own = rows_with(runs, line, name)
            draw_runs(panel, own[x], (1 - own["score"]).clip(lower=LEAST), look, name=name)
        _points(panel, rows, x, str(name), {**look, "linestyle": "none"} if name in fitted else look)
    for fit in fits:
        usual = STYLES[list(tables).index(fit.label) % len(STYLES)]
        draw_fit(panel, fit, styles[fit.label]["color"], strokes[fit.label].get("linestyle", usual))
    percent_axis(panel, *_limits(curves, runs), scale=scale)
    set_x_ticks(panel, x_values)
    ends = {panel: [_end(rows, x, name, styles[name]["color"]) for name, rows in tables.items()]}
    names = [str(name) for name in tables]
    if label_width(names) > WIDEST * WIDTH or not place_end_labels(ends):
        add_legend(figure, body, [panel], by_last_value(ends, names)[::-1])
    set_x_ticks(panel, x_values)
    return figure


def _notes(notes: str, fits: Sequence[Fit], runs: pd.DataFrame | None) -> str:
    laws = "; ".join(str(fit).partition(";")[0] for fit in fits if len(fits) <= MOST_FORMULAS)
    formulas = f"thin lines and bands: fits{f', {laws}' if laws else ''}" if fits else ""
    return "; ".join(part for part in (notes, formulas, "" if runs is None else NOTE) if part)


def _check(curves: pd.DataFrame, fits: Sequence[Fit], x: str, line: str) -> None:
    if curves.duplicated([line, x]).any():
        raise ValueError(f"curves must be of one data set, with one row for each {line} and {x}; filter them")
    labels = list(dict.fromkeys(curves[line]))
    if unknown := [fit.label for fit in fits if fit.label not in labels]:
        raise ValueError(f"fits must be of {', '.join(map(str, labels))}, got one of {', '.join(unknown)}")


def _points(panel: Axes, rows: pd.DataFrame, x: str, name: str, look: SharedLineStyle) -> None:
    error = (1 - rows["mean"]).clip(lower=LEAST)
    span = errorbar_lengths(error, 1 - rows["high"], 1 - rows["low"])
    span[0] = np.minimum(span[0], error - LEAST / 2)  # a log scale has no 0
    bars = panel.errorbar(rows[x], error, yerr=span, label=as_label(name), elinewidth=THIN, **look)
    add_to_chart(panel, name, bars)
    ends = (100 * error, 100 * (1 - rows["high"]), 100 * (1 - rows["low"]))
    n = rows["n"].tolist() if "n" in rows else None
    mark_points(panel, name, rows[x], error, point_texts(rows[x], *ends, n=n, x=x, unit="% error"))


def _end(rows: pd.DataFrame, x: str, name: object, colour: str) -> End:
    return End(name, float(rows[x].iloc[-1]), max(LEAST, 1 - float(rows["mean"].iloc[-1])), colour)


def _limits(curves: pd.DataFrame, runs: pd.DataFrame | None) -> tuple[float, float]:
    """Return limits a little beyond the intervals and runs, or beyond the means if there are neither."""
    ends = 1 - np.asarray(curves[["mean", "low", "high"]], dtype=float).ravel()
    if runs is not None:
        ends = np.concatenate([ends, 1 - runs["score"].to_numpy(dtype=float)])
    return max(LEAST, float(np.nanmin(ends))) / 1.04, min(1.0, max(2 * LEAST, float(np.nanmax(ends)) * 1.04))


def _x_label(x: str, scale: str) -> str:
    name = "training images" if x == "train_size" else short_name(x)
    return f"{name} (log scale)" if scale == "log" else name
