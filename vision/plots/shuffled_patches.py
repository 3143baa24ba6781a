"""Who notices that an image's patches are out of order: accuracy on images as they are and shuffled.

>>> plot_shuffled_patches(scores, (image, shuffled), patch_size=4, title="cifar10-jpeg")  # doctest: +SKIP
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vision.plots.curves import COLOURS

INTACT, SHUFFLED = COLOURS[0], COLOURS[1]
APART = 0.13  # of a row, so that equal accuracies do not hide each other
COLUMNS = ("label", "images", "mean", "low", "high")


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
    if missing := [name for name in COLUMNS if name not in scores]:
        raise ValueError(
            f"scores must have columns {', '.join(COLUMNS)}, got none named {', '.join(missing)}"
        )
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    places = figure.subplot_mosaic([["intact", "scores"], ["shuffled", "scores"]], width_ratios=(1, 3.4))
    for name, image in zip(("intact", "shuffled"), example, strict=True):
        _example(places[name], image, patch_size)
    places["intact"].set_title("as it is", fontsize=9, color=INTACT)
    places["shuffled"].set_title("patches shuffled", fontsize=9, color=SHUFFLED)
    _scores(places["scores"], scores, chance)
    figure.suptitle(title, fontsize=12)
    if notes:
        figure.supxlabel(notes, fontsize=7, color="0.35", ha="left", x=0.01)
    return figure


def _example(place: Axes, image: np.ndarray, patch_size: int) -> None:
    height, width = image.shape[:2]
    place.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0), interpolation="nearest")
    for line, size in ((place.axhline, height), (place.axvline, width)):
        for at in range(patch_size, size, patch_size):
            line(at, color="white", linewidth=0.5, alpha=0.6)
    place.set(xticks=[], yticks=[])


def _scores(panel: Axes, scores: pd.DataFrame, chance: float | None) -> None:
    labels = list(dict.fromkeys(scores["label"]))
    for row in scores.to_dict("records"):
        intact = row["images"] == "intact"
        at = labels.index(row["label"]) + (-APART if intact else APART)
        colour, mean = INTACT if intact else SHUFFLED, 100 * row["mean"]
        panel.plot([100 * row["low"], 100 * row["high"]], [at, at], color=colour, linewidth=2.2, alpha=0.55)
        panel.plot(mean, at, ls="none", marker="o" if intact else "s", color=colour, markersize=7)
        text = {"ha": "center", "va": "bottom" if intact else "top", "fontsize": 8, "color": colour}
        panel.annotate(
            f"{mean:.1f}", (mean, at), (0, 6 if intact else -6), textcoords="offset points", **text
        )
    panel.set_yticks(range(len(labels)), labels)
    panel.set_ylim(len(labels) - 0.4, -0.6)
    panel.set_xlabel("test accuracy (%)")
    if chance is not None:
        panel.axvline(100 * chance, color="0.5", linestyle=":", linewidth=1.2)
    panel.set_xlim(left=0)
    panel.grid(axis="x", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)
    above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3}
    panel.legend(handles=_legend(chance), frameon=False, fontsize=9, **above)


def _legend(chance: float | None) -> list[Line2D]:
    handles = [
        Line2D([], [], color=INTACT, marker="o", label="images as they are"),
        Line2D([], [], color=SHUFFLED, marker="s", label="patches shuffled"),
    ]
    if chance is not None:
        handles.append(Line2D([], [], color="0.5", linestyle=":", label="chance"))
    return handles
