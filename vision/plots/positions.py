"""How alike the position vectors of any two places are: a small map a place, set out as the grid is.

>>> plot_position_similarity(position_similarity(model).numpy(), title="ViT")  # doctest: +SKIP
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

MOST = 8  # maps on a side; a larger grid shows every second place, or fewer


def plot_position_similarity(similarity: np.ndarray, *, title: str) -> Figure:
    """Figure of one map for each place: the similarity of its vector with all others', itself marked.

    Args:
        similarity: (rows, cols, rows, cols), as `vision.analysis.position_similarity` gives it.
        title: stands above the figure.
    """
    step = max(1, -(-max(similarity.shape[:2]) // MOST))
    shown = similarity[::step, ::step]
    rows, cols = shown.shape[:2]
    figure = Figure(figsize=(1.5 + 0.85 * cols, 1.3 + 0.85 * rows), layout="constrained")
    low = min(0.0, float(similarity.min()))
    drawn: Any = None
    for row, line in enumerate(figure.subplots(rows, cols, squeeze=False)):
        for col, place in enumerate(line):
            drawn = place.imshow(shown[row, col], cmap="viridis", vmin=low, vmax=1)
            place.plot(col * step, row * step, marker="x", color="red", markersize=4)
            place.set(xticks=[], yticks=[])
    figure.colorbar(drawn, ax=figure.axes, label="cosine similarity", shrink=0.8)
    figure.suptitle(title, fontsize=12)
    return figure
