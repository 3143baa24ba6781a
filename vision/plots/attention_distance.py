"""How far each head looks through depth, convolutions and attention on the same axis.

>>> plot_attention_distance(table, title="digits").savefig("distance.svg")  # doctest: +SKIP
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vision.plots.curves import COLOURS

# Told apart without colour, which is the model's.
MARKERS = {
    "attention": "o",
    "convolution as attention": "s",
    "pooling as attention": "^",
    "soft convolution": "P",
}
COLUMNS = ("model", "depth", "distance", "kind")


def plot_attention_distance(table: pd.DataFrame, *, title: str, notes: str = "") -> Figure:
    """Figure of distance against depth, a marker a head and a dash at each layer's mean; one panel a model.

    Args:
        table: rows as `vision.analysis.attention_distance` gives them, of one or several models, with a
            column model that names them.
        title: stands above the figure.
        notes: stands below it in small print: images, weights, versions.

    Raises:
        ValueError: a column is missing, or there are no rows.
    """
    if missing := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"table must have columns {', '.join(COLUMNS)}, got none named {', '.join(missing)}")
    if table.empty:
        raise ValueError("table must have rows, got none: no layer of any model has a place on the image")
    models = list(dict.fromkeys(table["model"]))
    figure = Figure(figsize=(max(7.2, 3.6 * len(models)), 4.8), layout="constrained")
    panels = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
    for order, (panel, model) in enumerate(zip(panels, models, strict=True)):
        _panel(panel, table.query("model == @model"), COLOURS[order % len(COLOURS)])
        panel.set_title(str(model), fontsize=10)
        panel.set_xlabel("depth (layer, in order of execution)")
    panels[0].set_ylabel("mean attention distance (pixels)")
    panels[-1].legend(handles=_legend(table), loc="best", fontsize=8, framealpha=0.9, edgecolor="none")
    figure.suptitle(title, fontsize=12)
    if notes:
        figure.supxlabel(notes, fontsize=7, color="0.35", ha="left", x=0.01)
    return figure


def _panel(panel: Axes, rows: pd.DataFrame, colour: str) -> None:
    for kind, heads in rows.groupby("kind", sort=False):
        shape = {"marker": MARKERS.get(str(kind), "D"), "s": 24, "linewidth": 0.4, "edgecolor": "white"}
        panel.scatter(heads["depth"], heads["distance"], **shape, color=colour, alpha=0.7, zorder=3)
    depths = sorted(set(rows["depth"]))
    means = [rows.loc[rows["depth"] == depth, "distance"].mean() for depth in depths]
    panel.scatter(depths, means, marker="_", s=110, linewidth=1.4, color="black", zorder=4)
    panel.set_xlim(0.3, max(depths) + 0.7)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panel.grid(axis="y", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)


def _legend(table: pd.DataFrame) -> list[Line2D]:
    shapes = {f"a head: {kind}": MARKERS.get(str(kind), "D") for kind in dict.fromkeys(table["kind"])}
    heads = [Line2D([], [], ls="none", color="0.4", marker=mark, label=name) for name, mark in shapes.items()]
    dash = Line2D(
        [], [], ls="none", color="black", marker="_", ms=10, mew=1.4, label="mean of a layer's heads"
    )
    return [*heads, dash]
