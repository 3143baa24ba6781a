"""Lines that coincide: they share dashes and markers, so that each of them is seen.

>>> shared_strokes({"a": [1.0, 2.0], "b": [1.0, 2.0], "c": [1.0, 3.0]})["b"]["markevery"]
(1, 2)
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypedDict, TypeVar

import numpy as np
import pandas as pd
from matplotlib.typing import LineStyleType
from numpy.typing import NDArray

DASH = 4.0  # length of one line's dash, in line widths
Line = TypeVar("Line", bound=Hashable)  # its name or number
SAME = 1e-3  # largest difference of coinciding lines, as a share of the range of all


class Strokes(TypedDict, total=False):
    """Keyword arguments of `Axes.plot` that differ where lines coincide."""

    linestyle: LineStyleType
    markevery: tuple[int, int]


def shared_strokes(curves: Mapping[Line, Sequence[float]]) -> dict[Line, Strokes]:
    """Return the dashes and markers of each line; nothing for a line that no other covers.

    Args:
        curves: The heights of each line at the same x, by name; NaN where it has none.
    """
    values = {name: np.asarray(heights, dtype=float) for name, heights in curves.items()}
    known = np.concatenate([*values.values(), [np.nan]])
    tolerance = SAME * float(np.nanmax(known) - np.nanmin(known)) if np.isfinite(known).any() else 0.0
    strokes: dict[Line, Strokes] = {name: {} for name in values}
    for group in _groups(values, tolerance):
        for order, name in enumerate(group):
            dashes = (DASH * order, (DASH, DASH * (len(group) - 1)))
            strokes[name] = {"linestyle": dashes, "markevery": (order, len(group))}
    return strokes


def strokes_of(tables: Mapping[Line, pd.DataFrame], x: str, centre: str = "mean") -> dict[Line, Strokes]:
    """Return the dashes and markers of lines, each a table with a row for each x.

    Args:
        tables: The points of each line, by name.
        x: Column of the x values.
        centre: Column of the heights.
    """
    x_values = sorted({value for table in tables.values() for value in table[x]})
    heights = {name: table.set_index(x)[centre].reindex(x_values) for name, table in tables.items()}
    return shared_strokes({name: height.tolist() for name, height in heights.items()})


def _groups(values: Mapping[Line, NDArray[np.float64]], tolerance: float) -> list[list[Line]]:
    """Return the names of lines that coincide, in groups of two or more."""
    groups: list[list[Line]] = []
    for name, heights in values.items():
        for group in groups:
            first = values[group[0]]
            if len(first) == len(heights) and np.allclose(
                first, heights, rtol=0, atol=tolerance, equal_nan=True
            ):
                group.append(name)
                break
        else:
            groups.append([name])
    return [group for group in groups if len(group) > 1]
