"""Who notices that an image's patches are out of order: accuracy on images as they are and shuffled.

>>> plot_shuffled_patches(scores, (image, shuffled), patch_size=4, title="cifar10-jpeg")  # doctest: +SKIP
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vision.plots.layout.figure import sheet
from vision.plots.layout.heatmap_cells import without_frame
from vision.plots.layout.legend import legend_above
from vision.plots.layout.style import COLOURS, MUTED, styled
from vision.plots.layout.tables import check_table

INTACT, SHUFFLED = COLOURS[0], COLOURS[1]
APART = 0.13  # of a row, so that equal accuracies do not hide each other
COLUMNS = ("label", "images", "mean", "low", "high")


@styled
def plot_shuffled_patches(
    scores: pd.DataFrame,
    example: tuple[np.ndarray, np.ndarray],
    *,
    patch_size: int,
    title: str,
    chance: float | None = None,
    notes: str = "",
) -> Figure:
    """Figure of one image in both forms, and beside it a line a model: its accuracy on both, with intervals.

    Args:
        scores: columns label, images (intact or shuffled), and mean, low and high in [0, 1]; the first label
            is drawn at the top.
        example: an image (H, W) or (H, W, 3) in [0, 1], and the same with its patches shuffled.
        patch_size: side of a patch in pixels, for the grid over the example.
        title: stands above the figure.
        chance: accuracy of guessing, drawn as a line.
        notes: stands below it in small print.

    Raises:
        ValueError: a column is missing.
    """
    check_table(scores, COLUMNS, name="scores")
    figure, body = sheet(title, notes, height=5.2)
    parts: Any = body.subfigures(2, 1, height_ratios=(1.6, 3.6))
    pictures, below = parts
    intact, shuffled = pictures.subplots(1, 2)
    for place, image in zip((intact, shuffled), example, strict=True):
        _example(place, image, patch_size)
    intact.set_title("as it is", color=INTACT)
    shuffled.set_title("patches shuffled", color=SHUFFLED)
    _scores(below.subplots(), scores, chance)
    legend_above(below, _legend(chance))
    return figure


def _example(place: Axes, image: np.ndarray, patch_size: int) -> None:
    height, width = image.shape[:2]
    place.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
    for line, size in ((place.axhline, height), (place.axvline, width)):
        for at in range(patch_size, size, patch_size):
            line(at, color="white", linewidth=0.5, alpha=0.6)
    place.set(xticks=[], yticks=[])
    without_frame(place)


def _scores(panel: Axes, scores: pd.DataFrame, chance: float | None) -> None:
    labels = list(dict.fromkeys(scores["label"]))
    for row in scores.to_dict("records"):
        intact = row["images"] == "intact"
        at = labels.index(row["label"]) + (-APART if intact else APART)
        colour, mean = INTACT if intact else SHUFFLED, 100 * row["mean"]
        panel.plot([100 * row["low"], 100 * row["high"]], [at, at], color=colour, linewidth=2.2, alpha=0.55)
        panel.plot(mean, at, ls="none", marker="o" if intact else "s", color=colour, markersize=7)
        text: Any = {"ha": "center", "va": "bottom" if intact else "top", "color": colour}
        panel.annotate(
            f"{mean:.1f}", (mean, at), (0, 6 if intact else -6), textcoords="offset points", **text
        )
    panel.set_yticks(range(len(labels)), labels)
    panel.set_ylim(len(labels) - 0.4, -0.6)
    panel.set_xlabel("test accuracy (%)")
    if chance is not None:
        panel.axvline(100 * chance, color=MUTED, linestyle=":")
    panel.set_xlim(left=0)
    panel.grid(False)
    panel.grid(True, axis="x")


def _legend(chance: float | None) -> list[Line2D]:
    handles = [
        Line2D([], [], color=INTACT, marker="o", label="images as they are"),
        Line2D([], [], color=SHUFFLED, marker="s", label="patches shuffled"),
    ]
    if chance is not None:
        handles.append(Line2D([], [], color=MUTED, linestyle=":", label="chance"))
    return handles
