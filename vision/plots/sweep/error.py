"""Error against training-set size, both on log scales, with intervals and fitted curves.

>>> plot_error(accuracy_curves(records), fits, title="digits").savefig("error.svg")  # doctest: +SKIP
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vision.plots.layout.figure import new_figure
from vision.plots.layout.intervals import draw_band, errorbar_lengths
from vision.plots.layout.legend import as_label, legend_above, legend_height
from vision.plots.layout.line_styles import line_styles
from vision.plots.layout.style import STYLES, WIDTH, styled
from vision.plots.layout.tables import check_table
from vision.plots.layout.ticks import at_places, percent_axis

LEAST = 1e-4  # error, where a model makes none
POINTS = 100  # of a fitted curve
THIN = 0.9
SPELLED_OUT = 3  # fits with their formulas


class Fit(Protocol):
    """Error as a function of training-set size, of one line; its str begins with the formula."""

    @property
    def label(self) -> str:
        """The line that it is of."""
        ...

    @property
    def sizes(self) -> Sequence[float]:
        """The sizes that it was fitted to."""
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
    """Figure of error with its interval, a marker and colour a line; a power law is straight.

    A fit is a thin line with a band from the smallest to the largest of its sizes, no further; of up to three
    the str, up to a semicolon, stands in the small print. Lines without one are joined up.

    Args:
        curves: of one data set, as `vision.statistics.accuracy_curves` gives them; the error is what the mean
            accuracy lacks to 1.
        fits: of some lines or all.
        title: stands above the figure.
        notes: stands below it in small print.
        x, line: the columns that say what goes where.
        among: all lines of several figures, in which each keeps its look; empty: these only.

    Raises:
        ValueError: a column is missing, there are no rows, a line has a size twice, or a fit is of no line.
    """
    check_table(curves, (line, x, "mean", "low", "high"), name="curves")
    lines = list(dict.fromkeys(curves[line]))
    _check(curves, fits, x, line)
    laws = "; ".join(str(fit).partition(";")[0] for fit in fits if len(fits) <= SPELLED_OUT)
    formulas = f"; thin lines and bands: fits{f', {laws}' if laws else ''}" if fits else ""
    names = [str(name) for name in lines]
    figure, body = new_figure(
        title, (notes + formulas).removeprefix("; "), height=3.3 + legend_height(names, WIDTH)
    )
    panel, styles = body.subplots(), line_styles(lines, all_lines)
    panel.set(xscale="log", xlabel=_named(x), ylabel="test error")
    fitted = {fit.label for fit in fits}
    for name in lines:
        look = styles[name] | {"linestyle": "none" if name in fitted else styles[name]["linestyle"]}
        rows: Any = curves[curves[line] == name]
        _points(panel, rows.sort_values(x), x, str(name), look)
    for fit in fits:
        _fit(panel, fit, styles[fit.label]["color"], STYLES[lines.index(fit.label) % len(STYLES)])
    at_places(panel, sorted(set(curves[x])))
    percent_axis(panel, *_limits(curves))
    legend_above(body, panel.get_legend_handles_labels()[0])
    return figure


def _check(curves: pd.DataFrame, fits: Sequence[Fit], x: str, line: str) -> None:
    if curves.duplicated([line, x]).any():
        raise ValueError(f"curves must be of one data set, with one row for each {line} and {x}; filter them")
    there = list(dict.fromkeys(curves[line]))
    if strange := [fit.label for fit in fits if fit.label not in there]:
        raise ValueError(f"fits must be of {', '.join(map(str, there))}, got one of {', '.join(strange)}")


def _points(panel: Axes, rows: pd.DataFrame, x: str, name: str, look: dict[str, Any]) -> None:
    error = (1 - rows["mean"]).clip(lower=LEAST)
    span = errorbar_lengths(error, 1 - rows["high"], 1 - rows["low"])
    span[0] = np.minimum(span[0], error - LEAST / 2)  # 0 has no place on a log scale
    panel.errorbar(rows[x], error, yerr=span, label=as_label(name), elinewidth=THIN, **look)


def _fit(panel: Axes, fit: Fit, colour: str, style: str) -> None:
    places = np.geomspace(min(fit.sizes), max(fit.sizes), POINTS)
    low, high = (np.clip(np.asarray(end, dtype=float), LEAST, None) for end in fit.band(places))
    look = {"color": colour, "linestyle": style, "linewidth": THIN, "label": f"_fit of {fit.label}"}
    panel.plot(places, fit.predict(places), **look)
    draw_band(panel, places, low, high, colour)


def _limits(curves: pd.DataFrame) -> tuple[float, float]:
    """A little more than the intervals, or the means where there are none."""
    ends = 1 - np.asarray(curves[["mean", "low", "high"]], dtype=float)
    return max(LEAST, float(np.nanmin(ends))) / 1.04, min(1.0, float(np.nanmax(ends)) * 1.04)


def _named(x: str) -> str:
    return "training images (log scale)" if x == "train_size" else f"{x.rpartition('.')[2]} (log scale)"
