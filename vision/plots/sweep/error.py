"""Error against training-set size, both on log scales, with intervals and fitted curves.

>>> curves = pd.DataFrame({"label": "CNN", "train_size": [100, 1000], "mean": [0.5, 0.7]})
>>> figure = plot_error(curves.assign(low=[0.4, 0.6], high=[0.6, 0.8]), title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import LineStyleType

from vision.plots.layout.figure import new_figure
from vision.plots.layout.intervals import draw_band, errorbar_lengths
from vision.plots.layout.legend import as_label, legend_above, legend_height
from vision.plots.layout.line_styles import LineStyle, line_styles
from vision.plots.layout.style import STYLES, WIDTH, styled
from vision.plots.layout.tables import check_table, rows_with
from vision.plots.layout.ticks import percent_axis, set_x_ticks

LEAST = 1e-4  # error to draw for a model that makes none
POINTS = 100  # of a fitted curve
THIN = 0.9
MOST_FORMULAS = 3  # fits up to which the small print has their formulas


class Fit(Protocol):
    """Error of one line as a function of training-set size; its str begins with the formula."""

    @property
    def label(self) -> str:
        """The line that was fitted."""
        ...

    @property
    def sizes(self) -> Sequence[float]:
        """The training-set sizes of the fit."""
        ...

    def predict(self, sizes: Any) -> Any:
        """(N,) -> (N,): error at these sizes, as a share."""
        ...

    def band(self, sizes: Any) -> Any:
        """(N,) -> two of (N,): the interval's lower and upper end."""
        ...


@styled
def plot_error(
    curves: pd.DataFrame,
    fits: Sequence[Fit] = (),
    *,
    title: str,
    notes: str = "",
    x: str = "train_size",
    line: str = "label",
    all_lines: Sequence[Any] = (),
) -> Figure:
    """Draw error with its interval, one marker and colour per line; a power law is a straight line.

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

    Raises:
        ValueError: a column is missing, the table has no rows, a line has a size twice,
            or a fit is of none of the lines.
    """
    check_table(curves, (line, x, "mean", "low", "high"), name="curves")
    lines = list(dict.fromkeys(curves[line]))
    _check(curves, fits, x, line)
    laws = "; ".join(str(fit).partition(";")[0] for fit in fits if len(fits) <= MOST_FORMULAS)
    formulas = f"; thin lines and bands: fits{f', {laws}' if laws else ''}" if fits else ""
    names = [str(name) for name in lines]
    figure, body = new_figure(
        title, (notes + formulas).removeprefix("; "), height=3.3 + legend_height(names, WIDTH)
    )
    panel, styles = body.subplots(), line_styles(lines, all_lines)
    panel.set(xscale="log", xlabel=_x_label(x), ylabel="test error")
    fitted = {fit.label for fit in fits}
    for name in lines:
        style = "none" if name in fitted else styles[name]["linestyle"]
        look: LineStyle = {**styles[name], "linestyle": style}
        _points(panel, rows_with(curves, line, name).sort_values(x), x, str(name), look)
    for fit in fits:
        _fit(panel, fit, styles[fit.label]["color"], STYLES[lines.index(fit.label) % len(STYLES)])
    set_x_ticks(panel, sorted(set(curves[x])))
    percent_axis(panel, *_limits(curves))
    legend_above(body, panel.get_legend_handles_labels()[0])
    return figure


def _check(curves: pd.DataFrame, fits: Sequence[Fit], x: str, line: str) -> None:
    if curves.duplicated([line, x]).any():
        raise ValueError(f"curves must be of one data set, with one row for each {line} and {x}; filter them")
    labels = list(dict.fromkeys(curves[line]))
    if unknown := [fit.label for fit in fits if fit.label not in labels]:
        raise ValueError(f"fits must be of {', '.join(map(str, labels))}, got one of {', '.join(unknown)}")


def _points(panel: Axes, rows: pd.DataFrame, x: str, name: str, look: LineStyle) -> None:
    error = (1 - rows["mean"]).clip(lower=LEAST)
    span = errorbar_lengths(error, 1 - rows["high"], 1 - rows["low"])
    span[0] = np.minimum(span[0], error - LEAST / 2)  # a log scale has no 0
    panel.errorbar(rows[x], error, yerr=span, label=as_label(name), elinewidth=THIN, **look)


def _fit(panel: Axes, fit: Fit, colour: str, style: LineStyleType) -> None:
    sizes = np.geomspace(min(fit.sizes), max(fit.sizes), POINTS)
    low, high = (np.clip(np.asarray(end, dtype=float), LEAST, None) for end in fit.band(sizes))
    label = f"_fit of {fit.label}"
    panel.plot(sizes, fit.predict(sizes), color=colour, linestyle=style, linewidth=THIN, label=label)
    draw_band(panel, sizes, low, high, colour)


def _limits(curves: pd.DataFrame) -> tuple[float, float]:
    """Return limits a little beyond the intervals, or beyond the means if there are no intervals."""
    ends = 1 - np.asarray(curves[["mean", "low", "high"]], dtype=float)
    return max(LEAST, float(np.nanmin(ends))) / 1.04, min(1.0, float(np.nanmax(ends)) * 1.04)


def _x_label(x: str) -> str:
    return "training images (log scale)" if x == "train_size" else f"{x.rpartition('.')[2]} (log scale)"
