"""A legend above the panels, where it covers nothing.

>>> from vision.plots.layout.figure import new_figure
>>> _, body = new_figure("digits")
>>> lines = body.subplots().plot([1, 2], label="CNN")
>>> legend_above(body, lines)
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from vision.plots.layout.chart import LABEL, Chart
from vision.plots.layout.figure import LINE, POINTS, text_width, wrapped
from vision.plots.layout.fonts import measured_width
from vision.plots.layout.style import STYLE, lay_out

HANDLE = 0.58  # width of a handle and the gaps next to it, in inches
MARGIN = 0.3  # inches left free next to a legend of one column


def legend_above(body: Figure | SubFigure, handles: Sequence[Artist], *, title: str = "") -> None:
    """Add a legend of lines or patches by their labels, in as many columns as fit."""
    if not handles:
        return
    names, width = [str(handle.get_label()) for handle in handles], body.bbox.width / body.dpi
    columns = columns_of(names, width)
    legend = body.legend(
        handles=list(handles), loc="outside upper center", ncols=columns, title=title or None
    )
    chart = body if isinstance(body, Chart) else body.get_figure(root=True)
    for name, handle, text in zip(names, legend.legend_handles, legend.get_texts(), strict=True):
        text.set_text(_in_lines(name, width))
        if isinstance(chart, Chart) and handle is not None and name.strip() in chart.series:
            chart.add(name.strip(), handle, text, kind=LABEL)


def add_legend(
    figure: Figure, body: SubFigure, panels: Sequence[Axes], names: Sequence[str], *, title: str = ""
) -> None:
    """Add a legend of the lines with these names, and make the figure as much higher; lay it out."""
    legend_above(body, handles_of(panels, names), title=title)
    figure.set_figheight(figure.get_figheight() + legend_height(names, body.bbox.width / body.dpi))
    lay_out(figure)


def handles_of(panels: Sequence[Axes], names: Sequence[str]) -> list[Artist]:
    """Return the legend handle of each name, from any panel that has it."""
    by_label: dict[str, Artist] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        by_label |= dict(zip(labels, handles, strict=True))
    return [by_label[as_label(name)] for name in names]


def as_label(name: object) -> str:
    """Return a name as a label; matplotlib leaves labels with a leading "_" out of a legend.

    >>> as_label("_x")
    ' _x'
    """
    return f" {name}" if str(name).startswith("_") else str(name)


def columns_of(labels: Sequence[str], width: float) -> int:
    """Return how many columns fit into `width` inches; no more than needed for that number of rows."""
    most = next((count for count in range(len(labels), 1, -1) if _wide(labels, count) <= width), 1)
    return -(-len(labels) // -(-len(labels) // most))


def legend_height(labels: Sequence[str], width: float) -> float:
    """Return the height of such a legend in inches."""
    rows = -(-len(labels) // columns_of(labels, width)) if labels else 0
    more = sum(_in_lines(label, width).count("\n") for label in labels)
    return (1.5 * rows + LINE * more) * STYLE["font.size"] / POINTS


def _wide(labels: Sequence[str], columns: int) -> float:
    """Return the width in inches of labels in so many columns, filled one after the other."""
    split = np.array_split(np.array(labels, dtype=object), columns)
    return HANDLE * columns + sum(max(map(text_width, column)) for column in split)


def _in_lines(label: str, width: float) -> str:
    """Return a label in lines that a legend of `width` inches has room for; most have one."""
    room = width - HANDLE - MARGIN
    size = STYLE["font.size"]
    fits = max(text_width(label), measured_width(label, size)) <= room
    return label if fits else wrapped(label, room, size)
