"""Where each head looks by its place alone: one panel a layer, a circle a head.

>>> plot_heads(head_places(model), title="Learned fields").savefig("heads.svg")  # doctest: +SKIP
"""

from math import ceil

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from vision.plots.curves import COLOURS

COLUMNS = 4
LEAST_RADIUS = 0.08


def plot_heads(table: pd.DataFrame, *, title: str) -> Figure:
    """Figure of heads around their query, which is the cross: a dot at the centre, a circle of its width.

    Args:
        table: as `vision.analysis.head_places` gives it.
        title: stands above the figure.

    Raises:
        ValueError: the table has no rows.
    """
    if table.empty:
        raise ValueError("plot_heads needs heads with centres, got none: the model has no such layer")
    layers = list(table.groupby("layer", sort=False))
    columns = min(COLUMNS, len(layers))
    rows = ceil(len(layers) / columns)
    figure = Figure(figsize=(max(4.0, 2.6 * columns), 2.8 * rows + 0.5), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).flatten()
    for place in places[len(layers) :]:
        place.set_axis_off()
    for place, (name, heads) in zip(places, layers, strict=False):
        _panel(place, heads)
        place.set_title(str(name), fontsize=9)
    figure.supxlabel("columns from the query (tokens)", fontsize=9)
    figure.supylabel("rows from the query (tokens)", fontsize=9)
    figure.suptitle(title, fontsize=12)
    return figure


def _panel(panel: Axes, heads: pd.DataFrame) -> None:
    for head in heads.to_dict("records"):
        colour, centre = COLOURS[int(head["head"]) % len(COLOURS)], (head["col"], head["row"])
        panel.add_patch(Circle(centre, head["width"], facecolor=colour, alpha=0.15, edgecolor="none"))
        panel.add_patch(Circle(centre, head["width"], fill=False, edgecolor=colour, linewidth=1.2))
        panel.add_patch(Circle(centre, LEAST_RADIUS, color=colour))
    panel.plot(0, 0, marker="+", color="black", markersize=9, zorder=5)
    far = max(1.5, float((heads[["row", "col"]].abs().max(axis=1) + heads["width"]).max()) + 0.3)
    panel.set(xlim=(-far, far), ylim=(far, -far), aspect="equal")
    panel.grid(color="0.93")
    panel.tick_params(labelsize=7)
