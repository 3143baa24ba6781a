"""Colour, marker and style of each line of a figure.

>>> line_styles(["CNN", "ViT"])["ViT"]["marker"]
's'
"""

from collections.abc import Sequence
from typing import TypedDict

from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.typing import FillStyleType, LineStyleType

from vision.plots.layout.style import COLOURS, FILLS, MARKERS, STYLES

DARK, LIGHT = 0.05, 0.85  # of the colour map, for the smallest and the largest number


class LineStyle(TypedDict):
    """Keyword arguments of `Axes.plot` and `Axes.errorbar` by which a line differs from others."""

    color: str
    marker: str
    linestyle: LineStyleType
    fillstyle: FillStyleType


class SharedLineStyle(LineStyle, total=False):
    """The same of a line that may coincide with others and shares its markers with them."""

    markevery: tuple[int, int]


LineStyles = dict[object, LineStyle]  # by the line's name or number


def line_styles(lines: Sequence[object], all_lines: Sequence[object] = ()) -> LineStyles:
    """Return matplotlib's style of each line; lines of numbers run through the shades of one colour map.

    No two of 28 lines share both marker and line style, nor both marker and fill. Lines and points can
    thus be distinguished without colour.

    Args:
        lines: names or numbers.
        all_lines: all lines of several figures, so that each has the same style in all of them.
    """
    wanted = set(lines)
    lines = list(dict.fromkeys((*all_lines, *lines)))
    shades = colormaps["viridis"]
    numbers = len(lines) > 2 and all(isinstance(value, int | float) for value in lines)
    styles: LineStyles = {}
    for order, value in enumerate(lines):
        shade = to_hex(shades(DARK + (LIGHT - DARK) * order / max(1, len(lines) - 1)))
        if value not in wanted:
            continue
        styles[value] = {
            "color": shade if numbers else COLOURS[order % len(COLOURS)],
            "marker": MARKERS[order % len(MARKERS)],
            "linestyle": STYLES[order // len(MARKERS) % len(STYLES)],
            "fillstyle": FILLS[order // len(MARKERS) % len(FILLS)],
        }
    return styles
