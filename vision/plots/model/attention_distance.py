"""Attention distance of each head against depth, for attention and convolutions alike.

>>> table = pd.DataFrame({"model": "ViT", "depth": [1, 2], "distance": [9.0, 12.0], "kind": "attention"})
>>> figure = plot_attention_distance(table, title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vision.plots.layout.figure import LETTER, POINTS, new_figure, wrapped
from vision.plots.layout.legend import legend_above, legend_height
from vision.plots.layout.style import COLOURS, INK, MUTED, PAPER, SMALL, STYLE, WIDTH, styled
from vision.plots.layout.tables import check_table
from vision.plots.model.layer_names import short_names

# Kinds differ by marker; the colour is the model's.
MARKERS = {
    "attention": "o",
    "convolution as attention": "s",
    "pooling as attention": "^",
    "soft convolution": "P",
}
COLUMNS = ("model", "depth", "distance", "kind")
NAMES_UP_TO = 24  # layers whose names fit under their depth


@styled
def plot_attention_distance(
    table: pd.DataFrame, *, title: str, equal: float | None = None, notes: str = ""
) -> Figure:
    """Draw distance against depth: one marker per head, a dash at each layer's mean, one panel per model.

    The x axis has the layers' names if the table contains them and they fit.

    Args:
        table: rows as `vision.inspection.attention_distance` returns them, of one or several models, with
            the additional column model.
        title: text above the figure.
        equal: the distance of uniform attention over the whole image, drawn as a line; see
            `vision.inspection.equal_distance`.
        notes: small print below the figure, such as images, weights and versions.

    Raises:
        ValueError: a column is missing, or the table has no rows.
    """
    check_table(table, COLUMNS)
    models = list(dict.fromkeys(table["model"]))
    names = [_names(rows) for _, rows in table.groupby("model", sort=False)]
    widths = [max(2.2, 0.2 * min(len(layers), 40)) for layers in names]
    handles, width = _legend(table, equal), max(WIDTH, sum(widths))
    room = legend_height([str(handle.get_label()) for handle in handles], width)
    room += max(len(name) for layers in names for name in layers.values()) * LETTER * SMALL / POINTS
    figure, body = new_figure(title, notes, width=width, height=3.4 + room)
    panels = body.subplots(1, len(models), squeeze=False, sharey=True, width_ratios=widths)[0]
    for order, (panel, model) in enumerate(zip(panels, models, strict=True)):
        _panel(panel, table.query("model == @model"), names[order], COLOURS[order % len(COLOURS)], equal)
        panel.set_title(wrapped(str(model), widths[order], STYLE["axes.titlesize"]))
    farthest = max(*table["distance"].dropna().tolist(), equal or 0.0, 1e-9)
    panels[0].set_ylim(-0.04 * farthest, 1.08 * farthest)
    panels[0].set_ylabel("mean attention distance (pixels)")
    body.supxlabel("depth (layer, as executed)")
    legend_above(body, handles)
    return figure


def _names(rows: pd.DataFrame) -> dict[int, str]:
    """Return the name of each layer by its depth; empty if there are none or too many."""
    layers = rows.drop_duplicates("depth").sort_values("depth")
    depths = layers["depth"].tolist()
    if "layer" not in layers or len(depths) > NAMES_UP_TO:
        return dict.fromkeys(depths, "")
    names = short_names(layers["layer"].tolist())
    return {depth: f"{depth}: {name}" for depth, name in zip(depths, names, strict=True)}


def _panel(panel: Axes, rows: pd.DataFrame, names: dict[int, str], colour: str, equal: float | None) -> None:
    for kind, heads in rows.groupby("kind", sort=False):
        panel.scatter(
            heads["depth"],
            heads["distance"],
            s=24,
            marker=MARKERS.get(str(kind), "D"),
            linewidth=0.4,
            edgecolor=PAPER,
            color=colour,
            alpha=0.7,
            zorder=3,
        )
    means = [rows.loc[rows["depth"] == depth, "distance"].mean() for depth in names]
    panel.scatter(list(names), means, marker="_", s=110, linewidth=1.4, color=INK, zorder=4)
    if equal is not None:
        panel.axhline(equal, color=MUTED, linestyle=":")
    panel.set_xlim(0.3, max(names) + 0.7)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if any(names.values()):
        panel.set_xticks(list(names), list(names.values()), rotation=90, fontsize=SMALL)


def _legend(table: pd.DataFrame, equal: float | None) -> list[Line2D]:
    shapes = {f"one head: {kind}": MARKERS.get(str(kind), "D") for kind in dict.fromkeys(table["kind"])}
    shown = [Line2D([], [], ls="none", color=MUTED, marker=mark, label=name) for name, mark in shapes.items()]
    mean = "mean of a layer's heads"
    shown.append(Line2D([], [], ls="none", color=INK, marker="_", ms=10, mew=1.4, label=mean))
    if equal is not None:
        shown.append(Line2D([], [], color=MUTED, ls=":", label="equal attention on the whole image"))
    return shown
