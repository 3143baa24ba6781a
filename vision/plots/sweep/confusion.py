"""A confusion matrix in percent.

>>> figure = plot_confusion(np.array([[8, 2], [1, 3]]), ["cat", "dog"], title="CNN on pets")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure

from vision.plots.layout.figure import new_figure, shortened, wrapped
from vision.plots.layout.heatmap_cells import FROM_PAPER, draw_cells
from vision.plots.layout.style import STYLE, styled
from vision.plots.layout.ticks import spaced_indices

NUMBERS_UP_TO = 12  # classes whose shares still fit into their cells
NAMES_UP_TO = 20  # classes whose names fit
NAME = 1.3  # inches of a line of a name


@styled
def plot_confusion(matrix: np.ndarray, classes: Sequence[str], *, title: str, notes: str = "") -> Figure:
    """Draw how the images of each class (row) were classified, in percent of them.

    With up to 12 classes the numbers are written into the cells. With more, the colours follow the square
    root, so that rare mistakes are visible.

    Args:
        matrix: counts (K, K), true class by predicted class.
        classes: K names.
        title: text above the figure.
        notes: small print below the figure, such as images, n and model.

    Raises:
        ValueError: the matrix is not (K, K), or has a negative count.
    """
    counts, many = np.asarray(matrix, dtype=float), len(classes)
    if counts.shape != (many, many) or many == 0:
        raise ValueError(f"matrix must be (K, K) for K classes, got {counts.shape} and {many} classes")
    if (counts < 0).any():
        raise ValueError(f"matrix must hold counts, got {counts.min():g}")
    totals = counts.sum(axis=1, keepdims=True)
    # A class without images has no shares: its row stays empty.
    shares = np.divide(100 * counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    figure, body = new_figure(title, notes, height=4.6)
    panel = body.subplots()
    few = many <= NUMBERS_UP_TO
    text, scale = ("{:.0f}".format, Normalize(0, 100)) if few else (None, PowerNorm(0.5, 0, 100))
    drawn = draw_cells(panel, shares, scale, colours=FROM_PAPER, text=text, origin="upper")
    named = spaced_indices(many, NAMES_UP_TO)
    names = [wrapped(str(classes[one]), NAME, STYLE["xtick.labelsize"]) for one in named]
    short = [shortened(str(classes[one]), NAME, STYLE["xtick.labelsize"]) for one in named]
    if few:
        panel.set_xticks(named, short, rotation=45, ha="right", rotation_mode="anchor")
    else:
        panel.set_xticks(named, short, rotation=90)
    panel.set_yticks(named, names)
    panel.set(xlabel="predicted class", ylabel="true class")
    body.colorbar(drawn, label="% of the true class's images", aspect=35)
    return figure
