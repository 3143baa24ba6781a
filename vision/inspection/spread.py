"""Which of many layers, images or heads to show when there is room for a few.

>>> spread_indices(10, 4), spread_indices(2, 4)
([0, 3, 6, 9], [0, 1])
"""

import numpy as np


def spread_indices(count: int, most: int) -> list[int]:
    """Return up to `most` evenly spaced indices from 0 to count - 1."""
    return [round(index) for index in np.unique(np.linspace(0, count - 1, min(count, most)).round())]
