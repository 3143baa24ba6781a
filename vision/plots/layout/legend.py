"""A legend above the panels, where it cannot cover what is drawn.

>>> legend_above(body, panel.get_lines())  # doctest: +SKIP
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from vision.plots.layout.figure import LETTER, POINTS
from vision.plots.layout.style import STYLE

HANDLE = 0.55  # inches that a handle and the gaps beside it take


def legend_above(body: Figure | SubFigure, handles: Sequence[Any], *, title: str = "") -> None:
    """A legend of these lines or patches by their labels, in as many columns as the figure is wide."""
    if not handles:
        return
    columns = columns_of([str(handle.get_label()) for handle in handles], body.bbox.width / body.dpi)
    body.legend(handles=list(handles), loc="outside upper center", ncols=columns, title=title or None)


def handles_of(panels: Sequence[Axes], names: Sequence[str]) -> list[Any]:
    """What to show for each name, from whichever panel has it; names are as `as_label` gives them."""
    found: dict[str, Any] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    return [found[as_label(name)] for name in names]


def as_label(name: Any) -> str:
    """A name as text that a legend shows: those with "_" in front it would leave out, but for a space.

    >>> as_label("_x")
    ' _x'
    """
    return f" {name}" if str(name).startswith("_") else str(name)


def columns_of(labels: Sequence[str], width: float) -> int:
    """() -> as many columns as fit side by side into `width` inches, and no more than fill their rows."""
    most = next((count for count in range(len(labels), 1, -1) if _wide(labels, count) <= width), 1)
    return -(-len(labels) // -(-len(labels) // most))


def legend_height(labels: Sequence[str], width: float) -> float:
    """Inches that such a legend takes."""
    rows = -(-len(labels) // columns_of(labels, width)) if labels else 0
    return 1.5 * STYLE["font.size"] / POINTS * rows


def _wide(labels: Sequence[str], columns: int) -> float:
    """Inches that they take in so many columns, filled one after the other."""
    letters = [max(map(len, column)) for column in np.array_split(np.array(labels, dtype=object), columns)]
    return HANDLE * columns + LETTER * STYLE["font.size"] / POINTS * sum(letters)
