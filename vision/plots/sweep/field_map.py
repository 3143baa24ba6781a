"""Accuracy by receptive field and training-set size, as a heatmap.

>>> curves = pd.DataFrame({"kind": "CNN", "field": [3, 5], "train_size": 100, "mean": [0.5, 0.7]})
>>> figure = plot_field_map(curves.assign(low=[0.4, 0.6]), title="digits", y="field", panel="kind")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

import re
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.typing import LineStyleType

from vision.plots.layout.figure import new_figure
from vision.plots.layout.heatmap_cells import draw_cells, readable_on
from vision.plots.layout.legend import legend_above, legend_height
from vision.plots.layout.small_multiples import name_panel, small_multiples
from vision.plots.layout.style import INK, WIDTH, styled
from vision.plots.layout.tables import check_table, rows_with
from vision.text import value_text

FIELD, KIND = "model.kwargs.mixer_options.kernel_size", "model.name"
ALL = "all"
TWO_COLUMNS_UP_TO = 5  # sizes up to which two panels fit side by side
BEST: dict[bool, tuple[LineStyleType, str]] = {
    True: ("-", "best of its size, above all others"),
    False: (":", "best, its interval contains another mean"),
}


@styled
def plot_field_map(
    curves: pd.DataFrame,
    *,
    title: str,
    notes: str = "",
    x: str = "train_size",
    y: str = FIELD,
    panel: str = KIND,
    ylabel: str = "field",
    metric: str = "test accuracy",
) -> Figure:
    """Draw one map per kind of mixer: one column per size, one row per field, mean accuracies in the cells.

    All maps have the same scale. A frame marks the best field of each size. The frame is dotted if the
    interval contains another field's mean, or if there is no interval.

    Args:
        curves: as `vision.statistics.accuracy_curves` returns them with these x, line y, and panel.
        title: text above the figure.
        notes: small print below the figure.
        x, y, panel: the columns for columns, rows and maps. y is sorted by its leading number (3 for
            "3 x 3"); other values come last, and a missing value is the full field.
        ylabel: name of the y axis.
        metric: name of the accuracy.

    Raises:
        ValueError: a column is missing, the table has no rows, or a cell has two rows.
    """
    check_table(curves, (panel, y, x, "mean", "low"), name="curves")
    if curves.duplicated([panel, y, x]).any():
        raise ValueError(f"curves must have one row for each {panel}, {y} and {x}; filter them first")
    curves = curves.assign(**{y: curves[y].astype(object).where(curves[y].notna(), ALL)})
    fields, sizes = _in_order(curves[y]), _in_order(curves[x])
    kinds = list(dict.fromkeys(curves[panel]))
    columns = 2 if len(sizes) <= TWO_COLUMNS_UP_TO else 1
    labels = [name for _, name in BEST.values()]
    height = -(-len(kinds) // columns) * (0.3 + 0.24 * len(fields)) + 1.3 + legend_height(labels, WIDTH)
    figure, body = new_figure(title, notes, height=height)
    panels = small_multiples(body, len(kinds), columns)
    accuracy = 100 * np.asarray(curves["mean"], dtype=float)
    scale, drawn = Normalize(accuracy.min(), accuracy.max()), list[AxesImage]()
    for one, kind in zip(panels, kinds, strict=True):
        drawn.append(_map(one, rows_with(curves, panel, kind), fields, sizes, scale, x, y))
        if len(kinds) > 1:
            name_panel(one, str(kind))
    for one in panels[-columns:]:
        one.set_xlabel("training images" if x == "train_size" else x)
    for one in panels[::columns]:
        one.set_ylabel(ylabel)
    body.colorbar(drawn[-1], ax=panels, label=f"{metric} (%)", location="bottom", shrink=0.7, aspect=40)
    frames = [Line2D([], [], color=INK, linestyle=style, label=name) for style, name in BEST.values()]
    legend_above(body, frames)
    return figure


def _map(
    panel: Axes, rows: pd.DataFrame, fields: list[Any], sizes: list[Any], scale: Normalize, x: str, y: str
) -> AxesImage:
    table = rows.pivot(index=y, columns=x, values="mean").reindex(index=fields, columns=sizes)
    drawn = draw_cells(panel, 100 * table.to_numpy(), scale, text="{:.1f}".format)
    panel.set_xticks(range(len(sizes)), [value_text(size) for size in sizes])
    panel.set_yticks(range(len(fields)), [value_text(field) for field in fields])
    for size, own in rows.groupby(x):
        best = own.iloc[int(own["mean"].argmax())]
        others = own.loc[own[y] != best[y], "mean"]
        style, _ = BEST[bool((others < best["low"]).all())]
        corner = sizes.index(size) - 0.46, fields.index(best[y]) - 0.43
        frame = Rectangle(corner, 0.92, 0.86, fill=False, linestyle=style, linewidth=1.5)
        frame.set_edgecolor(readable_on(drawn.to_rgba(100 * best["mean"])))
        panel.add_patch(frame)
    return drawn


def _in_order(column: "pd.Series[Any]") -> list[Any]:
    values = list(dict.fromkeys(column.tolist()))
    return sorted(values, key=_leading)


def _leading(value: object) -> float:
    """Return the leading number of a value, such as 3 for "3 x 3"; infinity for values such as "all"."""
    number = re.match(r"\s*\d+\.?\d*", str(value))
    return float(number.group()) if number else float("inf")
