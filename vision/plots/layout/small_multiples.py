"""Small multiples: panels with shared axes in rows.

>>> from vision.plots.layout.figure import new_figure
>>> _, body = new_figure("digits", height=height_of(3))
>>> panels = small_multiples(body, 3)
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from vision.plots.layout.figure import LINE, POINTS, wrapped
from vision.plots.layout.style import STYLE, WIDTH

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
    width, height = (0.9 * length for length in body.get_figure(root=True).get_size_inches())
    x, y = wrapped(x, width, STYLE["axes.labelsize"]), wrapped(y, 0.8 * height, STYLE["axes.labelsize"])
    if len(panels) == 1:
        panels[0].set(xlabel=x, ylabel=y)
    else:
        body.supxlabel(x)
        body.supylabel(y)


def name_panel(panel: Axes, name: str) -> None:
    """Write a name above a panel, in as many lines as it needs."""
    cell = panel.get_subplotspec()
    panel.set_title(_in_lines(name, cell.get_gridspec().ncols if cell else 1))


def extra_height(names: Iterable[str], count: int, columns: int = COLUMNS) -> float:
    """Return how many inches more so many panels need if their names have several lines."""
    lines = max((_in_lines(name, min(columns, count)).count("\n") for name in names), default=0)
    return lines * -(-count // columns) * LINE * STYLE["axes.titlesize"] / POINTS


def _in_lines(name: str, columns: int) -> str:
    return wrapped(name, 0.8 * WIDTH / columns, STYLE["axes.titlesize"])
