"""Small multiples: panels with shared axes in rows.

>>> from vision.plots.layout.figure import new_figure
>>> _, body = new_figure("digits", height=height_of(3))
>>> panels = small_multiples(body, 3)
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

COLUMNS = 2
ROW = 2.1  # height of a row of panels in inches


def height_of(count: int, columns: int = COLUMNS, *, row: float = ROW) -> float:
    """Return the height in inches of so many panels, with their axes' names."""
    return row * -(-count // columns) + 0.7


def small_multiples(
    body: FigureBase, count: int, columns: int = COLUMNS, *, same_x: bool = True
) -> list[Axes]:
    """Return panels with the same axes; those at the bottom and at the left have ticks with labels."""
    columns = min(columns, count)
    rows = -(-count // columns)
    panels = body.subplots(rows, columns, sharex=same_x, sharey=True, squeeze=False).flatten()
    for panel in panels[count:]:
        panel.remove()
    for order, panel in enumerate(panels[:count]):
        below = order >= count - columns
        panel.tick_params(
            bottom=below or not same_x, labelbottom=below or not same_x, left=order % columns == 0
        )
    return list(panels[:count])


def name_axes(body: FigureBase, panels: Sequence[Axes], x: str, y: str) -> None:
    """Name both axes, on the only panel or once for all panels."""
    if len(panels) == 1:
        panels[0].set(xlabel=x, ylabel=y)
    else:
        body.supxlabel(x)
        body.supylabel(y)
