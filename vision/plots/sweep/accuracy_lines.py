"""The lines of an accuracy figure: centres, intervals, single runs, and the best of each line.

>>> from vision.plots.layout.line_styles import line_styles
>>> lines = Lines(line_styles(["CNN"]), x="train_size", line="label", centre="mean")
>>> curves = pd.DataFrame({"label": "CNN", "train_size": [50, 500], "mean": [0.2, 0.3], "low": 0.1})
>>> line_ends(curves, lines, {"CNN": "CNN"})
[End(name='CNN', x=500.0, y=30.0, colour='#0072b2', text='CNN')]
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from vision.plots.layout.chart import add_to_chart, mark_points
from vision.plots.layout.coincident import strokes_of
from vision.plots.layout.end_labels import End
from vision.plots.layout.intervals import draw_band
from vision.plots.layout.legend import as_label
from vision.plots.layout.line_styles import LineStyles, SharedLineStyle
from vision.plots.layout.point_texts import point_texts
from vision.plots.layout.run_dots import draw_runs
from vision.plots.layout.style import BAND
from vision.plots.layout.tables import rows_with
from vision.text import value_text

FULL_OPACITY_LINES = 7  # with more lines the bands are fainter
LOG_FROM = 8.0  # ratio of largest to smallest x from which the axis is logarithmic
SPREAD = 24.0  # points over which the runs of all lines at one x are spread
THIN = 0.8  # width of a line that only leads from dots to dots


@dataclass(frozen=True, slots=True)
class Lines:
    """What is drawn of a table of curves; see `plot_accuracy`."""

    styles: LineStyles
    _: KW_ONLY
    x: str
    line: str
    centre: str
    intervals: bool = True
    scale: Literal["log", "linear"] = "log"
    mark_best: bool = True
    unit: str = "%"

    @property
    def scaled_by(self) -> float:
        """What a value of the table is multiplied by to be in the unit."""
        return 100.0 if self.unit == "%" else 1.0


def draw_lines(panel: Axes, curves: pd.DataFrame, lines: Lines, runs: pd.DataFrame | None) -> None:
    """Draw the lines of one panel over its x axis."""
    x_values = sorted(set(curves[lines.x]))
    wide = x_values[0] > 0 and x_values[-1] >= LOG_FROM * x_values[0]
    log = lines.scale == "log" and (lines.x == "train_size" or wide)
    panel.set_xscale("log" if log else "linear")
    if not lines.intervals:
        panel.margins(x=0.1)  # room for the dots next to the last value
    drawn = {name: _curve(curves, name, lines) for name in lines.styles}
    drawn = {name: curve for name, curve in drawn.items() if len(curve)}
    strokes = strokes_of(drawn, lines.x, lines.centre)
    for order, (name, curve) in enumerate(drawn.items()):
        look: SharedLineStyle = {**lines.styles[name], **strokes[name]}
        own = None if runs is None else rows_with(runs, lines.line, name)
        if own is not None:
            aside = None if lines.intervals else SPREAD * ((order + 0.5) / len(drawn) - 0.5)
            draw_runs(
                panel, own[lines.x], lines.scaled_by * own["score"], look, name=value_text(name), aside=aside
            )
        _draw(panel, curve, value_text(name), look, lines, lone=own is None)


def line_ends(curves: pd.DataFrame, lines: Lines, texts: Mapping[object, str]) -> list[End]:
    """Return where each line of a panel ends, highest first."""
    ends: list[End] = []
    for name, look in lines.styles.items():
        curve = _curve(curves, name, lines)
        if len(curve):
            last, height = float(curve[lines.x].iloc[-1]), float(curve[lines.centre].iloc[-1])
            ends.append(End(value_text(name), last, lines.scaled_by * height, look["color"], texts[name]))
    return sorted(ends, key=lambda end: end.y, reverse=True)


def _curve(curves: pd.DataFrame, name: object, lines: Lines) -> pd.DataFrame:
    return rows_with(curves, lines.line, name).sort_values(lines.x)


def _draw(
    panel: Axes, curve: pd.DataFrame, name: str, look: SharedLineStyle, lines: Lines, *, lone: bool
) -> None:
    x_values = curve[lines.x]
    middle, low, high = (lines.scaled_by * curve[column] for column in (lines.centre, "low", "high"))
    (drawn,) = panel.plot(x_values, middle, label=as_label(name), **look)
    if not (lines.intervals or lone):
        drawn.set(linewidth=THIN, marker="none")
    add_to_chart(panel, name, drawn)
    if lines.intervals:
        opacity = BAND * min(1.0, FULL_OPACITY_LINES / len(lines.styles))
        add_to_chart(panel, name, *draw_band(panel, x_values, low, high, look["color"], opacity=opacity))
    n = curve["n"].tolist() if "n" in curve else None
    texts = point_texts(x_values, middle, low, high, n=n, x=lines.x, unit=lines.unit)
    mark_points(panel, name, x_values, middle, texts)
    if lines.x != "train_size" and lines.intervals and lines.mark_best:
        _ring(panel, curve, lines, look["color"])


def _ring(panel: Axes, curve: pd.DataFrame, lines: Lines, colour: str) -> None:
    """Mark the highest point of a line if its interval excludes the lowest."""
    best = curve.iloc[int(np.argmax(curve[lines.centre]))]
    if len(curve) > 1 and best["low"] > curve[lines.centre].min():
        point = best[lines.x], lines.scaled_by * best[lines.centre]
        panel.plot(*point, "o", markersize=10, markerfacecolor="none", color=colour, zorder=5)
