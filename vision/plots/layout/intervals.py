"""Intervals as bands around a line or as error bars. A single run has no interval, and none is drawn.

>>> from matplotlib.figure import Figure
>>> len(draw_band(Figure().subplots(), [50, 500], [0.2, 0.5], [0.3, 0.7], "#0072b2"))
1
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from vision.plots.layout.style import BAND


def draw_band(
    panel: Axes, x: ArrayLike, low: ArrayLike, high: ArrayLike, colour: str, *, opacity: float = BAND
) -> list[Artist]:
    """Draw a band from low to high, in the unit of the axis, with gaps where either is missing.

    Returns:
        The band; nothing where no interval is known.
    """
    if not np.isfinite(np.asarray(low, dtype=float)).any():
        return []
    return [panel.fill_between(x, low, high, color=colour, alpha=opacity, linewidth=0)]


def errorbar_lengths(centre: ArrayLike, low: ArrayLike, high: ArrayLike) -> NDArray[np.float64]:
    """Return how far intervals extend below and above their centres (2, N); 0 where there is none."""
    parts = [np.asarray(part, dtype=float) for part in (centre, low, high)]
    return np.nan_to_num(np.stack((parts[0] - parts[1], parts[2] - parts[0]))).clip(min=0)
