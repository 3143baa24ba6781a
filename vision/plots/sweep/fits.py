"""Fitted curves of the error over training-set size, each with its band.

>>> from vision.statistics import scaling_fit  # doctest: +SKIP
>>> draw_fit(panel, scaling_fit(records, "CNN"), "#0072b2", "-")  # doctest: +SKIP
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.typing import LineStyleType
from numpy.typing import NDArray

from vision.plots.layout.chart import add_to_chart
from vision.plots.layout.intervals import draw_band

LEAST = 1e-4  # error to draw for a model that makes none
POINTS = 100  # of a fitted curve
THIN = 0.9


class Fit(Protocol):
    """Error of one line as a function of training-set size; its str begins with the formula."""

    @property
    def label(self) -> str:
        """The line that was fitted."""
        ...

    @property
    def sizes(self) -> Sequence[float]:
        """The training-set sizes of the fit."""
        ...

    def predict(self, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) -> (N,): error at these sizes, as a share."""
        ...

    def band(self, sizes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N,) -> two of (N,): the interval's lower and upper end."""
        ...


def draw_fit(panel: Axes, fit: Fit, colour: str, style: LineStyleType) -> None:
    """Draw a fit as a thin line with a band, from the smallest to the largest of its sizes."""
    sizes = np.geomspace(min(fit.sizes), max(fit.sizes), POINTS)
    low, high = (np.clip(np.asarray(end, dtype=float), LEAST, None) for end in fit.band(sizes))
    label = f"_fit of {fit.label}"
    line = panel.plot(sizes, fit.predict(sizes), color=colour, linestyle=style, linewidth=THIN, label=label)
    add_to_chart(panel, fit.label, *line, *draw_band(panel, sizes, low, high, colour))
