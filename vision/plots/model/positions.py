"""How alike the position vectors of any two places are: a small map a place, set out as the grid is.

>>> plot_position_similarity(position_similarity(model).numpy(), title="ViT")  # doctest: +SKIP
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vision.plots.layout.figure import new_figure
from vision.plots.layout.heatmap_cells import without_frame
from vision.plots.layout.style import WIDTH, styled

MOST = 8  # maps on a side; a larger grid shows every second place, or fewer


@styled
def plot_position_similarity(similarity: np.ndarray, *, title: str, notes: str = "") -> Figure:
    """Figure of one map for each place: the similarity of its vector with all others', itself marked.

    Args:
        similarity: (rows, cols, rows, cols), as `vision.inspection.position_similarity` gives it.
        title: stands above the figure.
        notes: stands below it in small print.
    """
    step = max(1, -(-max(similarity.shape[:2]) // MOST))
    shown = similarity[::step, ::step]
    rows, cols = shown.shape[:2]
    figure, body = new_figure(title, notes, width=max(WIDTH, 1.4 + 0.45 * cols), height=1.0 + 0.45 * rows)
    low = min(0.0, float(similarity.min()))
    drawn: Any = None
    places = body.subplots(rows, cols, squeeze=False)
    for row, line in enumerate(places):
        for col, place in enumerate(line):
            drawn = place.imshow(shown[row, col], cmap="viridis", vmin=low, vmax=1)
            place.plot(col * step, row * step, marker="x", color="red", markersize=4)
            place.set(xticks=[], yticks=[])
            without_frame(place)
            if row == rows - 1:
                place.set_xlabel(str(col * step + 1))
            if col == 0:
                place.set_ylabel(str(row * step + 1), rotation=0, ha="right", va="center")
    body.supxlabel("column of the patch that a map is for (red cross)")
    body.supylabel("row of the patch that a map is for")
    body.colorbar(drawn, ax=places, label="cosine similarity with that patch", shrink=0.8)
    return figure
