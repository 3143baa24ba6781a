"""Colour, marker and style of each line of a figure.

>>> line_styles(["CNN", "ViT"])["ViT"]["marker"]
's'
"""

from collections.abc import Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.colors import to_hex

from vision.plots.layout.style import COLOURS, FILLS, MARKERS, STYLES

DARK, LIGHT = 0.05, 0.85  # of the colour map, from the smallest of an ordered setting to the largest
LineStyles = dict[Any, dict[str, Any]]


def line_styles(lines: Sequence[Any], all_lines: Sequence[Any] = ()) -> LineStyles:
    """What matplotlib draws each line with; numbers run through the shades of one colour map.

    No two of 28 have the same marker and style, nor the same marker and fill, so that lines and points are
    told apart in grey as well.

    Args:
        lines: names or numbers.
        among: of which these are some, so that each looks as it does beside all others; empty: these only.
    """
    given = set(lines)
    lines = list(dict.fromkeys((*all_lines, *lines)))
    shades = colormaps["viridis"]
    numbers = len(lines) > 2 and all(isinstance(value, int | float) for value in lines)
    found = {}
    for order, value in enumerate(lines):
        shade = to_hex(shades(DARK + (LIGHT - DARK) * order / max(1, len(lines) - 1)))
        if value not in given:
            continue
        found[value] = {
            "color": shade if numbers else COLOURS[order % len(COLOURS)],
            "marker": MARKERS[order % len(MARKERS)],
            "linestyle": STYLES[order // len(MARKERS) % len(STYLES)],
            "fillstyle": FILLS[order // len(MARKERS) % len(FILLS)],
        }
    return found
