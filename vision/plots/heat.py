"""Numbers that sit on an image, drawn beside it: attention rollout, effective receptive fields.

>>> plot_heat([("rollout", image, values)], title="What it reads", label="attention")  # doctest: +SKIP
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure


def plot_heat(
    panels: Sequence[tuple[str, np.ndarray | None, np.ndarray]], *, title: str, label: str
) -> Figure:
    """Figure of images, each with its numbers laid over it: dark where they are small.

    Args:
        panels: name, image (H, W, 3) in [0, 1] or None, and values (rows, cols) >= 0 that cover it.
        title: stands above the figure.
        label: what the values are.

    Raises:
        ValueError: there is no panel.
    """
    if not panels:
        raise ValueError("plot_heat needs at least one panel, got none")
    figure = Figure(figsize=(max(4.0, 2.9 * len(panels)), 3.7), layout="constrained")
    drawn: Any = None
    for place, (name, image, values) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        share = values / max(float(values.max()), np.finfo(float).tiny)
        extent = (0, 1, 1, 0) if image is None else (0, image.shape[1], image.shape[0], 0)
        if image is not None:
            place.imshow(image, extent=extent)
        opacity = 1.0 if image is None else 0.65
        drawn = place.imshow(share, cmap="inferno", vmin=0, vmax=1, extent=extent, alpha=opacity)
        place.set_title(name, fontsize=9)
        place.set_axis_off()
    figure.colorbar(drawn, ax=figure.axes, label=f"{label}, of its largest", shrink=0.8)
    figure.suptitle(title, fontsize=12)
    return figure
