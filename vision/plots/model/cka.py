"""Similarity of the layers of two models, as a heatmap.

>>> table = pd.DataFrame([[0.9, 0.2], [0.3, 0.8]], index=["0", "1"], columns=["layer1", "layer2"])
>>> figure = plot_cka(table, title="CKA", rows="ViT", columns="CNN")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from vision.plots.layout.figure import new_figure
from vision.plots.layout.heatmap_cells import draw_cells
from vision.plots.layout.style import styled
from vision.plots.layout.ticks import spaced_indices
from vision.plots.model.layer_names import short_names

NUMBERS_UP_TO = 12  # layers on a side whose values still fit into their cells
NAMES_UP_TO = 32  # layers on a side whose names fit


@styled
def plot_cka(table: pd.DataFrame, *, title: str, rows: str, columns: str, notes: str = "") -> Figure:
    """Draw similarities, one cell per pair of layers; the first layers are at the bottom left.

    Args:
        table: as `vision.inspection.cka` returns it.
        title: text above the figure.
        rows: name of the model whose layers are the rows.
        columns: name of the model whose layers are the columns.
        notes: small print below the figure.
    """
    height, width = (min(side, NAMES_UP_TO) for side in table.shape)
    size = {"width": 1.8 + 0.4 * max(width, 8), "height": 1.4 + 0.3 * max(height, 8)}
    figure, body = new_figure(title, notes, **size)
    panel = body.subplots()
    text = "{:.2f}".format if max(table.shape) <= NUMBERS_UP_TO else None
    drawn = draw_cells(panel, table.to_numpy(), Normalize(0, 1), text=text)
    across, up = (spaced_indices(side, NAMES_UP_TO) for side in reversed(table.shape))
    names = [np.array(short_names(list(map(str, each)))) for each in (table.columns, table.index)]
    panel.set_xticks(across, names[0][across], rotation=45, ha="right", rotation_mode="anchor")
    panel.set_yticks(up, names[1][up])
    panel.set(xlabel=f"layers of {columns}, first to last", ylabel=f"layers of {rows}, first to last")
    body.colorbar(drawn, label="linear CKA (1: alike, 0: unrelated)")
    return figure
