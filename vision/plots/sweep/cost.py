"""Accuracy of each model against its parameters and multiply-adds per image.

>>> points = pd.DataFrame({"label": ["CNN", "ViT"], "params": [5e4, 6e4], "macs": [1e6, 2e6]})
>>> figure = plot_cost(points.assign(mean=[0.8, 0.7], low=0.6, high=0.9), title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, NullLocator

from vision.plots.layout.chart import add_to_chart, mark_points
from vision.plots.layout.figure import new_figure
from vision.plots.layout.intervals import errorbar_lengths
from vision.plots.layout.labels import place_labels
from vision.plots.layout.legend import as_label, handles_of, legend_above, legend_height
from vision.plots.layout.line_styles import LineStyle, LineStyles, line_styles
from vision.plots.layout.point_texts import point_texts
from vision.plots.layout.style import WIDTH, lay_out, styled
from vision.plots.layout.tables import check_table

COSTS = {"params": "parameters", "macs": "multiply-adds per image"}
LEAST_SPAN = 3.0  # ratio of the ends of an axis; models of nearly equal cost then lie close together


@styled
def plot_cost(
    points: pd.DataFrame,
    *,
    title: str,
    notes: str = "",
    metric: str = "test accuracy",
    line: str = "label",
    all_lines: Sequence[object] = (),
) -> Figure:
    """Draw accuracy with its interval against parameters and against multiply-adds, both on log scales.

    The names are next to the points or, if they have no room, in a legend.

    Args:
        points: one row per model, with columns label, params, macs, and mean, low and high in [0, 1].
        title: text above the figure.
        notes: small print below the figure, such as training-set size, n and interval.
        metric: name of the accuracy.
        line: the column that names a model.
        all_lines: all lines of several figures, so that each has the same style in all of them.

    Raises:
        ValueError: a column is missing, the table has no rows, or a model has several rows.
    """
    check_table(points, (line, *COSTS, "mean", "low", "high"), name="points")
    if points[line].duplicated().any():
        raise ValueError(f"points must have one row per {line}, got several of {points[line].mode()[0]}")
    styles = line_styles(points[line].tolist(), all_lines)
    figure, body = new_figure(title, notes, height=3.1)
    panels = body.subplots(1, len(COSTS), sharey=True)
    for panel, (cost, name) in zip(panels, COSTS.items(), strict=True):
        _panel(panel, points, cost, line, styles)
        panel.set_xlabel(name)
    panels[0].set_ylabel(f"{metric} (%)")
    lay_out(figure)
    if not all(_named(panel, points, cost, line) for panel, cost in zip(panels, COSTS, strict=True)):
        for panel in panels:
            for text in list(panel.texts):
                text.remove()
        ranked = points.sort_values("mean", ascending=False)[line]
        legend_above(body, handles_of(panels, [str(name) for name in ranked]))
        figure.set_figheight(figure.get_figheight() + legend_height([str(name) for name in styles], WIDTH))
    return figure


def _panel(panel: Axes, points: pd.DataFrame, cost: str, line: str, styles: LineStyles) -> None:
    for row in points.to_dict("records"):
        mean, low, high = (100 * row[name] for name in ("mean", "low", "high"))
        look: LineStyle = {**styles[row[line]], "linestyle": "none"}
        span, label = errorbar_lengths([mean], [low], [high]), as_label(row[line])
        bars = panel.errorbar(row[cost], mean, yerr=span, label=label, **look, markersize=6, elinewidth=1.0)
        add_to_chart(panel, row[line], bars)
        texts = point_texts([row[cost]], [mean], [low], [high], n=[row.get("n")], x=COSTS[cost], unit="%")
        mark_points(panel, row[line], [row[cost]], [mean], texts)
    panel.set_xscale("log")
    least, most = float(np.min(points[cost])), float(np.max(points[cost]))
    margin = max(1.3, (LEAST_SPAN * least / most) ** 0.5)
    panel.set_xlim(least / margin, most * margin)
    panel.xaxis.set_major_locator(FixedLocator(_round_numbers(least / margin, most * margin)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))


def _round_numbers(low: float, high: float) -> list[float]:
    """Return at least two round numbers from low to high, if there are two, and as few as possible."""
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        found = [step * 10.0**power for power in range(16) for step in steps]
        if len(inside := [number for number in found if low <= number <= high]) > 1:
            return inside
    return inside


def _named(panel: Axes, points: pd.DataFrame, cost: str, line: str) -> bool:
    rows = points[[cost]].join(100 * points[["mean", "low", "high"]])
    return place_labels(
        panel, list(rows.itertuples(index=False, name=None)), [str(name) for name in points[line]]
    )
