"""Accuracies in rows, one row per name and one colour per line, with the best name on top.

>>> from matplotlib.figure import Figure
>>> from vision.plots.layout.line_styles import line_styles
>>> lines = Lines(line_styles([500]), x="label", line="train_size", centre="mean")
>>> curves = pd.DataFrame({"label": ["CNN"], "train_size": 500, "mean": 0.3, "low": 0.2, "high": 0.4})
>>> draw_rows(Figure().subplots(), curves, lines, None)
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes

from vision.plots.layout.chart import add_to_chart, mark_points
from vision.plots.layout.figure import wrapped
from vision.plots.layout.intervals import errorbar_lengths
from vision.plots.layout.legend import as_label
from vision.plots.layout.line_styles import LineStyle
from vision.plots.layout.point_texts import point_texts
from vision.plots.layout.run_dots import tick_runs
from vision.plots.layout.style import STYLE, WIDTH
from vision.plots.layout.tables import rows_with
from vision.plots.sweep.accuracy_lines import Lines
from vision.text import value_text

NAMES = 0.42 * WIDTH  # inches for the names of rows
APART = 0.5  # of a row, over which its lines are spread


def row_names(names: Iterable[object]) -> list[str]:
    """Return names as the rows show them: long ones in several lines."""
    return [wrapped(value_text(name), NAMES, STYLE["ytick.labelsize"]) for name in names]


def draw_rows(panel: Axes, curves: pd.DataFrame, lines: Lines, runs: pd.DataFrame | None) -> None:
    """Draw the rows of one panel."""
    means = curves.groupby(lines.x, dropna=False)[lines.centre].mean().sort_values()
    names = means.index.tolist()
    for order, (value, look) in enumerate(lines.styles.items()):
        curve, name = rows_with(curves, lines.line, value), value_text(value)
        aside = APART * (0.5 - (order + 0.5) / len(lines.styles))
        rows = [names.index(one) + aside for one in curve[lines.x]]
        middle, low, high = (lines.scaled_by * curve[column] for column in (lines.centre, "low", "high"))
        points: LineStyle = {**look, "linestyle": "none"}
        if runs is not None:
            own = rows_with(runs, lines.line, value)
            spots = [names.index(one) + aside for one in own[lines.x]]
            tick_runs(panel, lines.scaled_by * own["score"], spots, look, name=name)
        span = errorbar_lengths(middle, low, high)
        bars = panel.errorbar(
            middle, rows, xerr=span, label=as_label(name), elinewidth=1, capsize=0, **points
        )
        add_to_chart(panel, name, bars)
        n = curve["n"].tolist() if "n" in curve else None
        texts = point_texts(curve[lines.x], middle, low, high, n=n, x=lines.x, unit=lines.unit)
        mark_points(panel, name, middle, rows, texts)
    panel.set_yticks(range(len(names)), row_names(names))
    panel.grid(True, axis="both")
