"""The lines in small print below a figure that has axis labels of its own: n, data, weights, versions.

>>> body = with_small_print(Figure(layout="constrained"), "n = 3; commit 0123456789")  # doctest: +SKIP
"""

from typing import Any

from matplotlib.figure import Figure, FigureBase

LINE = 0.16  # inches


def with_small_print(figure: Figure, notes: str) -> FigureBase:
    """The part of an empty figure to draw into, above its notes."""
    if not notes:
        return figure
    below = LINE * (notes.count("\n") + 2)
    height = figure.get_figheight()
    parts: Any = figure.subfigures(2, 1, height_ratios=(height - below, below))
    body, small = parts
    small.text(0.01, 0.5, notes, fontsize=7, color="0.35", ha="left", va="center")
    return body
