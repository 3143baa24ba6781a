"""Values drawn over the pixels of an image: attention rollout, effective receptive fields.

>>> image, values = np.zeros((32, 32, 3)), np.ones((8, 8))
>>> figure = plot_heatmap([("rollout", image, values)], (32, 32), title="Rollout", label="share")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter

from vision.plots.layout.figure import new_figure
from vision.plots.layout.heatmap_cells import without_frame
from vision.plots.layout.style import WIDTH, styled

Panel = tuple[str, np.ndarray | None, np.ndarray]
OPACITY = 0.7  # of the values, over a grey image
SIDE = 1.25  # width of a panel in inches
DECADES = 4  # of a logarithmic scale


@styled
def plot_heatmap(
    panels: Sequence[Panel],
    size: tuple[int, int],
    *,
    title: str,
    label: str,
    log: bool = False,
    notes: str = "",
) -> Figure:
    """Draw values over the pixels they belong to, with one colour scale for all panels.

    The image of a panel is drawn above it, and in grey below its values.

    Args:
        panels: name, image (H, W, 3) in [0, 1] or None, and values (rows, cols) >= 0 that cover it.
        size: height and width of the images in pixels, which the axes count.
        title: text above the figure.
        label: what the values are, with their unit.
        log: use a logarithmic colour scale; 0 and values below the last decade are black.
        notes: small print below the figure.

    Raises:
        ValueError: there is no panel.
    """
    if not panels:
        raise ValueError("plot_heatmap needs at least one panel, got none")
    rows = 2 if any(image is not None for _, image, _ in panels) else 1
    width = max(WIDTH, SIDE * len(panels))
    height = 1.2 + rows * (0.3 + 0.85 * width / max(3, len(panels)) * size[0] / size[1])
    figure, body = new_figure(title, notes, width=width, height=height)
    axes = body.subplots(rows, len(panels), squeeze=False)
    scale, drawn = _scale([values for _, _, values in panels], log), list[AxesImage]()
    for column, (name, image, values) in zip(axes.T, panels, strict=True):
        column[0].set_title(name)
        if rows == 2:
            _picture(column[0], image, size)
        drawn.append(_numbers(column[-1], image, values, size, scale))
    for ax in axes[:, 1:].flatten():
        ax.set_yticklabels([])
    every = axes.flatten().tolist()
    body.colorbar(
        drawn[-1],
        ax=every,
        label=label,
        location="bottom",
        shrink=0.7,
        aspect=30,
        format=FuncFormatter(_plain),
    )
    return figure


def _plain(value: float, _: int | None) -> str:
    """Return a plain number: a power of ten would be mathtext, which is never parsed in our figures."""
    return f"{value:g}"


def _scale(values: Sequence[np.ndarray], log: bool) -> Normalize:
    low, high = (pick([pick(one) for one in values]) for pick in (np.min, np.max))
    if not log:
        return Normalize(low, high if high > low else low + 1)
    return LogNorm(high * 10.0**-DECADES, high, clip=False) if high > 0 else Normalize(0, 1)


def _picture(ax: Axes, image: np.ndarray | None, size: tuple[int, int]) -> None:
    if image is None:
        ax.set_axis_off()
        return
    ax.imshow(image, extent=(0, size[1], size[0], 0))
    without_frame(ax)
    ax.set(xticks=[], yticks=[])


def _numbers(
    ax: Axes, image: np.ndarray | None, values: np.ndarray, size: tuple[int, int], scale: Normalize
) -> AxesImage:
    extent = (0, size[1], size[0], 0)
    if image is not None:
        ax.imshow(image.mean(axis=2), cmap="gray", vmin=0, vmax=1, extent=extent)
    ax.set_facecolor("black")
    shown = np.ma.masked_less_equal(values, 0) if isinstance(scale, LogNorm) else values
    opacity = 1.0 if image is None else OPACITY
    drawn = ax.imshow(shown, cmap="inferno", norm=scale, extent=extent, alpha=opacity)
    without_frame(ax)
    ax.set(xticks=[0, size[1] // 2, size[1]], yticks=[0, size[0] // 2, size[0]])
    ax.set_xlabel("pixels")
    return drawn
