"""Numbers that sit on an image, drawn over it: attention rollout, effective receptive fields.

>>> plot_heat([("rollout", image, values)], (32, 32), title="What it reads", label="share")  # doctest: +SKIP
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from vision.plots.layout.figure import new_figure
from vision.plots.layout.heatmap_cells import without_frame
from vision.plots.layout.style import WIDTH, styled

Panel = tuple[str, np.ndarray | None, np.ndarray]
OPACITY = 0.7  # of the numbers, over an image in grey
SIDE = 1.25  # inches of a panel
DECADES = 4  # that a logarithmic scale goes down from the largest value


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
    """Figure of numbers over the pixels they belong to, one colour scale for all panels.

    Where a panel has an image, it stands above, and once more in grey under its numbers.

    Args:
        panels: name, image (H, W, 3) in [0, 1] or None, and values (rows, cols) >= 0 that cover it.
        size: height and width of the images in pixels, which the axes count.
        title: stands above the figure.
        label: what the values are, with their unit.
        log: colours by the logarithm; 0 and what is below the last decade are black.
        notes: stands below in small print.

    Raises:
        ValueError: there is no panel.
    """
    if not panels:
        raise ValueError("plot_heat needs at least one panel, got none")
    rows = 2 if any(image is not None for _, image, _ in panels) else 1
    width = max(WIDTH, SIDE * len(panels))
    height = 1.2 + rows * (0.3 + 0.85 * width / max(3, len(panels)) * size[0] / size[1])
    figure, body = new_figure(title, notes, width=width, height=height)
    places = body.subplots(rows, len(panels), squeeze=False)
    scale, drawn = _scale([values for _, _, values in panels], log), None
    for column, (name, image, values) in zip(places.T, panels, strict=True):
        column[0].set_title(name)
        if rows == 2:
            _picture(column[0], image, size)
        drawn = _numbers(column[-1], image, values, size, scale)
    for place in places[:, 1:].flatten():
        place.set_yticklabels([])
    bar = {"location": "bottom", "shrink": 0.7, "aspect": 30}
    # Plain numbers: a power of ten would be mathtext, which is never parsed in our figures.
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    body.colorbar(drawn, ax=places.flatten().tolist(), label=label, format=plain, **bar)  # type: ignore[arg-type]
    return figure


def _scale(values: Sequence[np.ndarray], log: bool) -> Normalize:
    low, high = (pick([pick(one) for one in values]) for pick in (np.min, np.max))
    if not log:
        return Normalize(low, high if high > low else low + 1)
    return LogNorm(high * 10.0**-DECADES, high, clip=False) if high > 0 else Normalize(0, 1)


def _picture(place: Axes, image: np.ndarray | None, size: tuple[int, int]) -> None:
    if image is None:
        place.set_axis_off()
        return
    place.imshow(image, extent=(0, size[1], size[0], 0))
    without_frame(place)
    place.set(xticks=[], yticks=[])


def _numbers(
    place: Axes, image: np.ndarray | None, values: np.ndarray, size: tuple[int, int], scale: Normalize
) -> Any:
    extent = (0, size[1], size[0], 0)
    if image is not None:
        place.imshow(image.mean(axis=2), cmap="gray", vmin=0, vmax=1, extent=extent)
    place.set_facecolor("black")
    shown = np.ma.masked_less_equal(values, 0) if isinstance(scale, LogNorm) else values
    opacity = 1.0 if image is None else OPACITY
    drawn = place.imshow(shown, cmap="inferno", norm=scale, extent=extent, alpha=opacity)
    without_frame(place)
    place.set(xticks=[0, size[1] // 2, size[1]], yticks=[0, size[0] // 2, size[0]])
    place.set_xlabel("pixels")
    return drawn
