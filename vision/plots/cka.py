"""How alike the layers of two models are, as a map.

>>> plot_cka(cka(vit, cnn, batches), title="CKA", rows="ViT", columns="CNN")  # doctest: +SKIP
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vision.plots.layer_names import short_names
from vision.plots.small_print import with_small_print

NUMBERS_UP_TO = 12  # layers on a side whose values still fit into their cells
NAMES_UP_TO = 32  # likewise whose names fit


def plot_cka(table: pd.DataFrame, *, title: str, rows: str, columns: str, notes: str = "") -> Figure:
    """Figure of similarities, one cell a pair of layers; the first layer is below and to the left.

    Args:
        table: as `vision.analysis.cka` gives it.
        title: stands above the figure.
        rows: name of the model whose layers are the rows.
        columns: name of the other.
        notes: stands below it in small print.
    """
    height, width = (min(side, NAMES_UP_TO) for side in table.shape)
    size = (3.4 + 0.42 * max(width, 8), 2.4 + 0.34 * max(height, 8))
    figure = Figure(figsize=size, layout="constrained")
    body = with_small_print(figure, notes)
    panel = body.subplots()
    drawn = panel.imshow(table.to_numpy(), origin="lower", vmin=0, vmax=1, cmap="cividis", aspect="auto")
    across, up = (_named(each) for each in (table.columns, table.index))
    names = [np.array(short_names(list(map(str, each)))) for each in (table.columns, table.index)]
    panel.set_xticks(
        across, table.columns[across], rotation=45, ha="right", rotation_mode="anchor", fontsize=8
    )
    panel.set_yticks(up, names[1][up], fontsize=8)
    panel.set(xlabel=f"layers of {columns}, first to last", ylabel=f"layers of {rows}, first to last")
    if max(table.shape) <= NUMBERS_UP_TO:
        _numbers(panel, table.to_numpy())
    body.colorbar(drawn, label="linear CKA (1: alike, 0: unrelated)")
    body.suptitle(title, fontsize=12)
    return figure


def _named(names: pd.Index) -> np.ndarray:
    """() -> which layers are named: all, or every second, and so on."""
    return np.arange(0, len(names), -(-len(names) // NAMES_UP_TO))


def _numbers(panel: Axes, values: np.ndarray) -> None:
    for (row, col), value in np.ndenumerate(values):
        colour = "white" if value < 0.55 else "black"
        panel.text(col, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
