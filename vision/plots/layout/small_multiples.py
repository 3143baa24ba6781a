"""Small multiples: panels side by side on shared axes, in rows of a column's width.

>>> panels = small_multiples(body, 4)  # doctest: +SKIP
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

COLUMNS = 2
ROW = 2.1  # inches that a row of panels is high


def height_of(count: int, columns: int = COLUMNS, *, row: float = ROW) -> float:
    """Inches that so many panels take, with room for what stands around them."""
    return row * -(-count // columns) + 0.7


def small_multiples(
    body: FigureBase, count: int, columns: int = COLUMNS, *, same_x: bool = True
) -> list[Axes]:
    """So many panels with the same axes; those with none below or to the left of them have numbers."""
    columns = min(columns, count)
    rows = -(-count // columns)
    places = body.subplots(rows, columns, sharex=same_x, sharey=True, squeeze=False).flatten()
    for place in places[count:]:
        place.remove()
    for place in places[max(0, count - columns) : count]:
        place.tick_params(labelbottom=True)
    return list(places[:count])


def name_axes(body: FigureBase, panels: Sequence[Axes], x: str, y: str) -> None:
    """Names of both axes: on the only panel, or once for all."""
    if len(panels) == 1:
        panels[0].set(xlabel=x, ylabel=y)
    else:
        body.supxlabel(x)
        body.supylabel(y)
