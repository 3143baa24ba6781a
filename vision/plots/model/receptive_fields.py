"""The receptive field of one token through depth: of its own layer, and of all layers so far.

>>> plot_fields(image, fields_through_depth(model, (3, 224, 224)), title="ResNet-18")  # doctest: +SKIP
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from math import ceil
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from vision.plots.layout.figure import new_figure
from vision.plots.layout.heatmap_cells import without_frame
from vision.plots.layout.legend import legend_above
from vision.plots.layout.style import COLOURS, WIDTH, styled

COLUMNS = 3
COMPOSED, DIRECT = COLOURS[:2]


class Panel(Protocol):
    """One layer: its name, and bool masks (H, W) over the pixels, such as `vision.inspection.LayerFields`."""

    @property
    def name(self) -> str:
        """The layer's name."""
        ...

    @property
    def direct(self) -> NDArray[np.bool_]:
        """Pixels under the tokens that the layer itself attends to."""
        ...

    @property
    def composed(self) -> NDArray[np.bool_]:
        """Pixels that reach the token through all layers."""
        ...


@styled
def plot_fields(image: np.ndarray, panels: Sequence[Panel], *, title: str) -> Figure:
    """Draw the image once per layer: what the token sees directly, through all layers, and not at all.

    Args:
        image: (H, W) or (H, W, 3), in [0, 1].
        panels: the layers, first to last, of one token each.
        title: text above the figure.

    Raises:
        ValueError: there are no panels, or a mask is not of the image's size.
    """
    if not panels:
        raise ValueError("panels must hold at least one layer, got none")
    for panel in panels:
        for part in (panel.direct, panel.composed):
            if part.shape != image.shape[:2]:
                raise ValueError(
                    f"masks must be of the image's size {image.shape[:2]}, got {part.shape} for {panel.name}"
                )
    columns = min(COLUMNS, len(panels))
    rows = ceil(len(panels) / columns)
    figure, body = new_figure(title, height=(WIDTH / COLUMNS + 0.6) * rows + 0.6)
    axes = body.subplots(rows, columns, squeeze=False).flatten()
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    for ax, panel in zip(axes, panels, strict=False):
        _draw(ax, image, panel)
    shades = [
        Patch(facecolor=to_rgba(DIRECT, 0.55), edgecolor=DIRECT, label="attended to by this layer"),
        Patch(facecolor="0.75", edgecolor=COMPOSED, label="seen through all layers so far (outline)"),
        Patch(facecolor="0.2", label="not seen by the token"),
    ]
    legend_above(body, shades)
    return figure


def _draw(ax: Axes, image: np.ndarray, panel: Panel) -> None:
    ax.imshow(_shaded(image, panel))
    for mask, colour in ((panel.composed, COMPOSED), (panel.direct, DIRECT)):
        _outline(ax, mask, colour)
    extents = f"directly {_extent(panel.direct)}\nin all {_extent(panel.composed)}"
    ax.set_title(f"{panel.name}\n{extents}")
    ax.set(xticks=[], yticks=[])
    without_frame(ax)


def _shaded(image: np.ndarray, panel: Panel) -> np.ndarray:
    """Return the grey image (H, W, 3), dark where nothing is seen, tinted where the layer itself looks."""
    grey = image if image.ndim == 2 else image.mean(axis=2)
    # Between black and white, so that a tint shows on either.
    shaded = np.where(panel.composed, 0.3 + 0.65 * grey, 0.32 * grey)[..., None].repeat(3, axis=2)
    tint = 0.45 * shaded + 0.55 * np.array(to_rgb(DIRECT))
    return np.where(panel.direct[..., None], tint, shaded).clip(0, 1)


def _outline(ax: Axes, mask: NDArray[np.bool_], colour: str) -> None:
    # A border of False around the mask closes the line where the field meets the image's edge.
    height, width = mask.shape
    ax.set(xlim=(-1, width), ylim=(height, -1))
    if not mask.any():
        return
    rows, cols = (np.arange(-1, int(side) + 1) for side in mask.shape)
    ax.contour(cols, rows, np.pad(mask, 1).astype(float), levels=[0.5], colors=colour, linewidths=1.6)


def _extent(mask: NDArray[np.bool_]) -> str:
    """Return rows x columns of pixels from the first to the last that is seen."""
    spans = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return " x ".join(str(int(span[-1] - span[0] + 1)) if len(span) else "0" for span in spans) + " px"
