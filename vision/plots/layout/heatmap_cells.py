"""A heatmap with its numbers in the cells.

>>> from matplotlib.figure import Figure
>>> image = draw_cells(Figure().subplots(), [[0.1, 0.9]], Normalize(0, 1), text="{:.2f}".format)
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Callable
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

SEQUENTIAL, FROM_PAPER = "cividis", "Blues"  # the first gets lighter, the second darker
# Text on cells, whose colours do not change when a page uses other colours for ink and paper.
DARK, LIGHT = "#000000", "#fefefe"
EVEN = 0.2  # luminance on which both can be read equally well


def draw_cells(
    panel: Axes,
    values: ArrayLike,
    scale: Normalize,
    *,
    colours: str = SEQUENTIAL,
    text: Callable[[float], str] | None = None,
    origin: Literal["lower", "upper"] = "lower",
) -> AxesImage:
    """Draw one cell per value (rows, columns) with its `text`; missing values stay empty."""
    drawn = panel.imshow(values, norm=scale, cmap=colours, origin=origin, aspect="auto")
    without_frame(panel)
    panel.tick_params(length=0)
    if text is not None:
        for (row, col), value in np.ndenumerate(np.asarray(values, dtype=float)):
            if np.isfinite(value):
                colour = readable_on(drawn.to_rgba(np.asarray(value)))
                panel.text(col, row, text(value), ha="center", va="center", color=colour)
    return drawn


def without_frame(panel: Axes) -> None:
    """Remove the grid and the axis lines, which would lie on an image."""
    panel.grid(False)
    panel.spines[:].set_visible(False)


def readable_on(colour: ArrayLike) -> str:
    """Return black or white, whichever has more contrast to a cell's colour."""
    return LIGHT if luminance(colour) < EVEN else DARK


def luminance(colour: ArrayLike) -> float:
    """Return the relative luminance of an sRGB colour (3 or 4,) in [0, 1], as WCAG defines it."""
    parts = np.asarray(colour, dtype=float)[:3]
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
