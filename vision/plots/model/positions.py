"""Similarity of position vectors: one small map per grid position, arranged like the grid.

>>> similarity = np.eye(16).reshape(4, 4, 4, 4)
>>> figure = plot_position_similarity(similarity, title="ViT")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from vision.plots.layout.figure import new_figure
from vision.plots.layout.heatmap_cells import without_frame
from vision.plots.layout.style import WIDTH, styled

MOST = 8  # maps on a side; of a larger grid every second position is shown, or fewer


@styled
def plot_position_similarity(similarity: np.ndarray, *, title: str, notes: str = "") -> Figure:
    """Draw one map for each position: the similarity of its vector to all others, with itself marked.

    Args:
        similarity: (rows, cols, rows, cols), as `vision.inspection.position_similarity` returns it.
        title: text above the figure.
        notes: small print below the figure.
    """
    step = max(1, -(-max(similarity.shape[:2]) // MOST))
    shown = similarity[::step, ::step]
    rows, cols = shown.shape[:2]
    figure, body = new_figure(title, notes, width=max(WIDTH, 1.4 + 0.45 * cols), height=1.0 + 0.45 * rows)
    low = min(0.0, float(similarity.min()))
    scale = Normalize(low, 1)
    axes = body.subplots(rows, cols, squeeze=False)
    for row, line in enumerate(axes):
        for col, ax in enumerate(line):
            ax.imshow(shown[row, col], cmap="viridis", norm=scale)
            ax.plot(col * step, row * step, marker="x", color="red", markersize=4)
            ax.set(xticks=[], yticks=[])
            without_frame(ax)
            if row == rows - 1:
                ax.set_xlabel(str(col * step + 1))
            if col == 0:
                ax.set_ylabel(str(row * step + 1), rotation=0, ha="right", va="center")
    body.supxlabel("column of the patch that a map is for (red cross)")
    body.supylabel("row of the patch that a map is for")
    body.colorbar(
        ScalarMappable(scale, "viridis"), ax=axes, label="cosine similarity with that patch", shrink=0.8
    )
    return figure
