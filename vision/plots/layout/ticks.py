"""Readable ticks: training-set sizes, percents on a log scale, some of many names.

>>> percents(0.31, 0.77)
[0.4, 0.5, 0.6, 0.7]
"""

from collections.abc import Sequence
from math import log10
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from vision.plots.layout.style import STYLE

DIGIT = 0.65 * STYLE["font.size"] / 72  # inches that a digit is wide
GAP = 0.06  # inches between two numbers
NARROW = 0.9  # inches; in narrower panels the first and last number are aligned inwards
MOST_POWERS = 30  # ticks of a log axis
USED = 0.85  # share of a panel's width between its first tick and its last


def set_x_ticks(panel: Axes, positions: Sequence[float]) -> None:
    """Set a tick with its number at each position of the x axis.

    Where the numbers have no room in one row they are shortened, as in 2.5k, and then take turns in two rows.
    A position that has no room even so gets no tick. The panel needs its scale and its width.
    """
    width = USED * panel.bbox.width / panel.get_figure(root=True).dpi  # type: ignore[union-attr]
    log = panel.get_xscale() == "log"
    spots = np.array([log10(position) if log else position for position in positions], dtype=float)
    spots = (width * (spots - spots[0]) / max(spots[-1] - spots[0], 1e-9)).tolist()
    texts = _fitting(spots, positions)
    kept = [(position, text) for position, text in zip(positions, texts, strict=True) if text]
    panel.xaxis.set_major_locator(FixedLocator([position for position, _ in kept]))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FixedFormatter([text for _, text in kept]))
    if width < NARROW:
        ends = panel.get_xticklabels()[:: max(1, len(kept) - 1)]
        for text, side in zip(ends, ("left", "right"), strict=False):
            text.set_horizontalalignment(side)


def short_number(value: float) -> str:
    """Return a number of thousands with up to two decimals as "2.5k", any other in full.

    >>> short_number(2500), short_number(50_000), short_number(1437), short_number(500)
    ('2.5k', '50k', '1,437', '500')
    """
    return f"{value / 1000:.10g}k" if value >= 1000 and value % 10 == 0 else f"{value:,.10g}"


def percents(low: float, high: float) -> list[float]:
    """Return shares from low to high whose percents are round, for a log scale."""
    if high < 4 * low:
        steps: Sequence[float] = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(100 * low, 100 * high)
    else:
        steps = [step * 10.0**power for power in range(-4, 3) for step in (1, 2, 5)]
    return [float(round(step, 6) / 100) for step in steps if 100 * low <= step <= 100 * high]


def percent_axis(panel: Axes, low: float, high: float, *, scale: Literal["log", "linear"] = "log") -> None:
    """Scale the y axis, for shares from low to high, with ticks in percent."""
    panel.set(yscale=scale, ylim=(low, high))
    if scale == "log":
        panel.yaxis.set_major_locator(FixedLocator(percents(low, high)))
        panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(_percent))


def powers_of_ten(panel: Axes) -> None:
    """Label the logarithmic y axis with powers of ten; this is the only mathtext in our figures."""
    for tick in panel.yaxis.get_major_ticks(MOST_POWERS):
        tick.label1.set_parse_math(True)


def spaced_indices(count: int, most: int) -> NDArray[np.intp]:
    """Return the indices of the names to write: all, or every second, and so on."""
    return np.arange(0, count, max(1, -(-count // most)))


def _percent(share: float, _: int | None) -> str:
    return f"{100 * share:.10g}%"


def _fitting(spots: Sequence[float], positions: Sequence[float]) -> list[str]:
    """Return the text of each position in the first form in which all have room; "" for those without."""
    full, short = ([form(position) for position in positions] for form in ("{:,.10g}".format, short_number))
    for texts in (full, short):
        if len(_with_room(spots, texts)) == len(texts):
            return texts
    rows = [range(start, len(short), 2) for start in (0, 1)]
    if all(len(_with_room([spots[i] for i in row], [short[i] for i in row])) == len(row) for row in rows):
        return [text if order % 2 == 0 else f"\n{text}" for order, text in enumerate(short)]
    named = _with_room(spots, short)
    return [text if order in named else "" for order, text in enumerate(short)]


def _with_room(spots: Sequence[float], texts: Sequence[str]) -> set[int]:
    """Return the last, the first, and from the left those that touch no neighbour."""
    widths = [DIGIT * len(text) + GAP for text in texts]
    named: set[int] = set()
    for one in (len(spots) - 1, *range(len(spots) - 1)):
        if all(abs(spots[one] - spots[other]) >= (widths[one] + widths[other]) / 2 for other in named):
            named.add(one)
    return named
