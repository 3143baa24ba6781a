"""Readable ticks: training-set sizes, percents on a log scale, some of many names.

>>> percents(0.31, 0.77)
[0.4, 0.5, 0.6, 0.7]
"""

from collections.abc import Sequence
from math import log10

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from vision.plots.layout.style import STYLE

DIGIT = 0.65 * STYLE["font.size"] / 72  # inches that a digit is wide
GAP = 0.08  # inches between two numbers
NARROW = 0.9  # inches; in narrower panels the first and last number are aligned inwards
MOST_POWERS = 30  # ticks of a log axis
USED = 0.85  # share of a panel's width between its first tick and its last


def set_x_ticks(panel: Axes, positions: Sequence[float]) -> None:
    """Set a tick at each position of the x axis, with its number if there is room."""
    width = USED * panel.bbox.width / panel.get_figure(root=True).dpi  # type: ignore[union-attr]
    texts = [f"{position:,.10g}" for position in positions]
    log = panel.get_xscale() == "log"
    spots = np.array([log10(position) if log else position for position in positions], dtype=float)
    spots = width * (spots - spots[0]) / max(spots[-1] - spots[0], 1e-9)
    named = _with_room(spots.tolist(), [DIGIT * len(text) + GAP for text in texts])
    panel.xaxis.set_major_locator(FixedLocator(positions))
    panel.xaxis.set_minor_locator(NullLocator())
    shown = [text if order in named else "" for order, text in enumerate(texts)]
    panel.xaxis.set_major_formatter(FixedFormatter(shown))
    if width < NARROW:
        for text, side in zip(
            panel.get_xticklabels()[:: max(1, len(texts) - 1)], ("left", "right"), strict=False
        ):
            text.set_horizontalalignment(side)


def percents(low: float, high: float) -> list[float]:
    """Return shares from low to high whose percents are round, for a log scale."""
    if high < 4 * low:
        steps: Sequence[float] = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(100 * low, 100 * high)
    else:
        steps = [step * 10.0**power for power in range(-4, 3) for step in (1, 2, 5)]
    return [float(round(step, 6) / 100) for step in steps if 100 * low <= step <= 100 * high]


def percent_axis(panel: Axes, low: float, high: float) -> None:
    """Make the y axis logarithmic, for shares from low to high, with ticks in percent."""
    panel.set(yscale="log", ylim=(low, high))
    panel.yaxis.set_major_locator(FixedLocator(percents(low, high)))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(_percent))


def powers_of_ten(panel: Axes) -> None:
    """Label the logarithmic y axis with powers of ten; this is the only mathtext in our figures."""
    for tick in panel.yaxis.get_major_ticks(MOST_POWERS):
        tick.label1.set_parse_math(True)


def some_of(count: int, most: int) -> NDArray[np.intp]:
    """Return the indices of the names to write: all, or every second, and so on."""
    return np.arange(0, count, max(1, -(-count // most)))


def _percent(share: float, _: int | None) -> str:
    return f"{100 * share:.10g}%"


def _with_room(spots: Sequence[float], widths: Sequence[float]) -> set[int]:
    """Return the last, the first, and from the left those that touch no neighbour."""
    named: set[int] = set()
    for one in (len(spots) - 1, *range(len(spots) - 1)):
        if all(abs(spots[one] - spots[other]) >= (widths[one] + widths[other]) / 2 for other in named):
            named.add(one)
    return named
