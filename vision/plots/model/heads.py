"""Centre and width of each head that attends by position: one panel per layer, one circle per head.

>>> table = pd.DataFrame([("0", 0, 1.0, -1.0, 0.7)], columns=["layer", "head", "row", "col", "width"])
>>> figure = plot_heads(table, title="Learned fields")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Hashable
from math import ceil, isnan
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from vision.plots.layout.figure import new_figure
from vision.plots.layout.legend import legend_above
from vision.plots.layout.small_multiples import name_axes, small_multiples
from vision.plots.layout.style import COLOURS, INK, MUTED, PAPER, styled

COLUMNS = 2
LEAST_RADIUS = 0.08
MOST_NUMBERED = 9  # heads of a layer whose numbers still fit


@styled
def plot_heads(table: pd.DataFrame, *, title: str, notes: str = "") -> Figure:
    """Draw heads around their query (the cross): a dot at the centre, a circle of one standard deviation.

    All panels have the same scale. The number of a gated head is followed by the share of its weight that
    depends on position.

    Args:
        table: as `vision.inspection.head_positions` returns it.
        title: text above the figure.
        notes: small print below the figure.

    Raises:
        ValueError: the table has no rows.
    """
    if table.empty:
        raise ValueError("plot_heads needs heads with centres, got none: the model has no such layer")
    layers = list(table.groupby("layer", sort=False))
    figure, body = new_figure(title, notes, height=2.4 * ceil(len(layers) / COLUMNS) + 1.0)
    panels = small_multiples(body, len(layers), COLUMNS)
    extent = table[["row", "col"]].abs().max(axis=1) + table["width"]
    far = max(1.5, float(extent.max()) + 0.3)
    for panel, (name, heads) in zip(panels, layers, strict=True):
        _panel(panel, heads, far)
        panel.set_title(str(name))
    name_axes(body, panels, "columns from the query (tokens)", "rows from the query (tokens)")
    legend_above(body, _legend(table))
    return figure


def _panel(panel: Axes, heads: pd.DataFrame, far: float) -> None:
    for head in heads.to_dict("records"):
        colour, centre = COLOURS[int(head["head"]) % len(COLOURS)], (head["col"], head["row"])
        panel.add_patch(Circle(centre, head["width"], facecolor=colour, alpha=0.15, edgecolor="none"))
        panel.add_patch(Circle(centre, head["width"], fill=False, edgecolor=colour, linewidth=1.2))
        panel.add_patch(Circle(centre, LEAST_RADIUS, color=colour))
        if len(heads) <= MOST_NUMBERED:
            number = panel.annotate(
                _number(head), centre, (4, 3), textcoords="offset points", color=colour, zorder=6
            )
            number.set_path_effects([withStroke(linewidth=2, foreground=PAPER)])
    panel.plot(0, 0, marker="+", color=INK, markersize=9, zorder=5)
    panel.set(xlim=(-far, far), ylim=(far, -far), aspect="equal")
    panel.grid(True, axis="both")


def _number(head: dict[Hashable, Any]) -> str:
    gate = float(head.get("gate", float("nan")))
    return str(head["head"]) if isnan(gate) else f"{head['head']} ({gate:.0%})"


def _legend(table: pd.DataFrame) -> list[Line2D]:
    gated = "gate" in table and bool(table["gate"].notna().any())
    number = "head, centre (share of its weight by place)" if gated else "head, centre"
    return [
        Line2D([], [], ls="none", marker="+", color=INK, markersize=9, label="the query"),
        Line2D([], [], ls="none", marker="o", color=MUTED, markersize=4, label=number),
        Line2D([], [], ls="none", marker="o", mfc="0.9", mec=MUTED, markersize=11, label="width: 1 s.d."),
    ]
