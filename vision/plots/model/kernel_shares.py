"""How convolutional each head is: shares of the variance of its weights, and its kernel, layer by layer.

>>> values = {"layer": "attn", "head": [0, 1], "kernel": [0.7, 0.2], "position": 0.1, "content": [0.2, 0.7]}
>>> ends = {"kernel_low": [0.6, 0.1], "kernel_high": [0.8, 0.3], "row": 0.0, "col": 0.0, "width": 1.0}
>>> kernels = {"attn": (np.full((2, 3, 3), 1 / 9), np.arange(-1, 2), np.arange(-1, 2))}
>>> figure = plot_kernel_shares(pd.DataFrame({**values, **ends}), kernels, title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Rectangle

from vision.plots.layout.figure import new_figure
from vision.plots.layout.heatmap_cells import without_frame
from vision.plots.layout.legend import legend_above
from vision.plots.layout.style import COLOURS, INK, PAPER, SMALL, WIDTH, styled
from vision.plots.layout.tables import check_table

COLUMNS = ("layer", "head", "kernel", "position", "content", "kernel_low", "kernel_high", "width")
SHARES = {"kernel": "kernel of the offset", "position": "absolute position", "content": "content"}
LAYER_HEIGHT, BARS_WIDTH, KERNEL_WIDTH = 1.5, 3.0, 1.1  # inches
MOST_KERNELS = 9  # heads of a layer whose kernels are drawn: all of a 3 x 3 convolution
QUERY = "#35a7ff"

Kernels = Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]


@styled
def plot_kernel_shares(table: pd.DataFrame, kernels: Kernels, *, title: str, notes: str = "") -> Figure:
    """Draw one row per layer: at the left the shares of each head, stacked; next to them the kernels.

    The line on a bar is the interval of the kernel's share. Above a kernel is its effective width in tokens,
    the radius of the circle, which holds 90% of the kernel's weight. The cross is the query. Each kernel has
    its own colour scale, from 0 to its largest weight. Of a layer with more than 9 heads, those of the first
    9 are drawn, which the small print says.

    Args:
        table: as in `vision.inspection.kernel_shares`.
        kernels: by layer, the weights (H, R, C), the rows (R,) and the columns (C,) of the offsets.
        title: text above the figure.
        notes: small print below the figure.

    Raises:
        ValueError: a column is missing, or the table has no rows.
    """
    check_table(table, COLUMNS)
    layers = list(table.groupby("layer", sort=False))
    most = max(len(heads) for _, heads in layers)
    drawn = min(MOST_KERNELS, most)
    if most > drawn:
        notes = "; ".join(filter(None, (notes, f"kernels of the first {drawn} heads of a layer")))
    width = max(WIDTH, BARS_WIDTH + KERNEL_WIDTH * drawn)
    figure, body = new_figure(title, notes, width=width, height=LAYER_HEIGHT * len(layers) + 0.7)
    panels = body.subplots(
        len(layers), 2, squeeze=False, width_ratios=[BARS_WIDTH, max(BARS_WIDTH, KERNEL_WIDTH * drawn)]
    )
    for (left, right), (name, heads) in zip(panels, layers, strict=True):
        _shares(left, heads)
        left.set_title(str(name))
        _kernels(right, kernels[str(name)], heads.iloc[:MOST_KERNELS], drawn)
    panels[-1][0].set_xlabel("head")
    legend_above(body, [Patch(color=COLOURS[i], label=text) for i, text in enumerate(SHARES.values())])
    return figure


def _shares(panel: Axes, heads: pd.DataFrame) -> None:
    """Draw stacked bars; a share that is estimated below 0 has no bar."""
    positions = np.arange(len(heads))
    below = np.zeros(len(heads))
    for colour, share in zip(COLOURS, SHARES, strict=False):
        values = heads[share].to_numpy(dtype=float).clip(0, 1)
        panel.bar(positions, values, 0.85, bottom=below, color=colour)
        below = below + values
    low, high = (heads[f"kernel_{end}"].to_numpy(dtype=float).clip(0, 1) for end in ("low", "high"))
    panel.vlines(positions, low, high, color=INK, linewidth=1.2)
    step = max(1, len(heads) // 8)
    panel.set_xticks(positions[::step], [str(head) for head in heads["head"].iloc[::step]])
    panel.set(ylim=(0, 1.02), yticks=[0, 0.5, 1], xlim=(-0.6, len(heads) - 0.4))
    panel.set_ylabel("share of variance")


def _kernels(
    panel: Axes, kernels: tuple[np.ndarray, np.ndarray, np.ndarray], heads: pd.DataFrame, slots: int
) -> None:
    """Draw the kernels of a layer next to each other, in slots of equal width."""
    weights, rows, cols = kernels
    pitch = len(cols) + max(1.0, 0.25 * len(cols))
    for index, head in enumerate(heads.to_dict("records")):
        values, shift = weights[index], index * pitch
        extent = (cols[0] - 0.5 + shift, cols[-1] + 0.5 + shift, rows[-1] + 0.5, rows[0] - 0.5)
        drawn = panel.imshow(
            values, vmin=0, vmax=max(float(values.max()), 1e-12), cmap="inferno", extent=extent
        )
        centre = (float(head["col"]) + shift, float(head["row"]))
        circle = Circle(centre, float(head["width"]), fill=False, edgecolor=PAPER, linewidth=1)
        panel.add_patch(circle)
        frame = Rectangle((extent[0], extent[3]), len(cols), len(rows), transform=panel.transData)
        circle.set_clip_path(frame)
        drawn.set_clip_path(frame)
        panel.plot(shift, 0, marker="+", color=QUERY, markersize=6)
        text = f"{head['head']}: {float(head['width']):.1f}"
        panel.text(
            shift + (cols[0] + cols[-1]) / 2, extent[3], text, ha="center", va="bottom", fontsize=SMALL
        )
    panel.set(xlim=(cols[0] - 0.5, cols[0] - 0.5 + slots * pitch), ylim=(rows[-1] + 0.5, rows[0] - 0.5))
    panel.set(aspect="equal", xticks=[int(cols[0]), int(cols[-1])], yticks=[int(rows[0]), int(rows[-1])])
    panel.set_anchor("W")
    panel.tick_params(labelsize=SMALL - 1)
    without_frame(panel)
