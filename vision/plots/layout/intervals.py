"""An interval as a band around its line; of one run there is none, and none is drawn.

>>> draw_band(panel, [50, 500], [0.2, 0.5], [0.3, 0.7], "#0072b2")  # doctest: +SKIP
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from vision.plots.layout.style import BAND


def draw_band(panel: Axes, places: Any, low: Any, high: Any, colour: str, *, opacity: float = BAND) -> None:
    """A band from low to high, in the unit of the axis, left open where either is missing."""
    if np.isfinite(np.asarray(low, dtype=float)).any():
        panel.fill_between(places, low, high, color=colour, alpha=opacity, linewidth=0)


def errorbar_lengths(middle: Any, low: Any, high: Any) -> np.ndarray:
    """() -> (2, N): how far an interval goes down and up from its middle; 0 where there is none."""
    parts = [np.asarray(part, dtype=float) for part in (middle, low, high)]
    return np.nan_to_num(np.stack((parts[0] - parts[1], parts[2] - parts[0]))).clip(min=0)
