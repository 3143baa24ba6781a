"""How alike the layers of two models are, as a map.

>>> plot_cka(cka(vit, cnn, batches), title="CKA", rows="ViT", columns="CNN")  # doctest: +SKIP
"""

import pandas as pd
from matplotlib.figure import Figure

NUMBERS_UP_TO = 12  # layers on a side whose values still fit into their cells


def plot_cka(table: pd.DataFrame, *, title: str, rows: str, columns: str) -> Figure:
    """Figure of similarities, one cell a pair of layers; the first layer is below and to the left.

    Args:
        table: as `vision.analysis.cka` gives it.
        title: stands above the figure.
        rows: name of the model whose layers are the rows.
        columns: name of the other.
    """
    height, width = table.shape
    figure = Figure(figsize=(2.6 + 0.42 * max(width, 8), 2.0 + 0.36 * max(height, 8)), layout="constrained")
    panel = figure.subplots()
    drawn = panel.imshow(table.to_numpy(), origin="lower", vmin=0, vmax=1, cmap="cividis", aspect="auto")
    panel.set_xticks(range(width), table.columns, rotation=90, fontsize=8)
    panel.set_yticks(range(height), table.index, fontsize=8)
    panel.set(xlabel=f"layers of {columns}", ylabel=f"layers of {rows}")
    if max(height, width) <= NUMBERS_UP_TO:
        for (row, col), value in zip(
            ((r, c) for r in range(height) for c in range(width)), table.to_numpy().flatten(), strict=True
        ):
            colour = "white" if value < 0.55 else "black"
            panel.text(col, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(drawn, label="linear CKA")
    figure.suptitle(title, fontsize=12)
    return figure
