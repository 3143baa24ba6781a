"""How many position-only heads each layer of a network needs, by the share of its kernel that may be lost.

>>> plot_heads(table, title="a ResNet-18 trained on digits").savefig("heads.svg")  # doctest: +SKIP
"""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vision.plots.curves import COLOURS, MARKERS


def plot_heads(table: pd.DataFrame, *, title: str, notes: str = "") -> Figure:
    """Figure of heads against depth, one line a tolerance.

    Args:
        table: columns layer, heads, positions and tolerance; the layers in their order.
        title: stands above the figure.
        notes: stands below it in small print.
    """
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    panel = figure.subplots()
    layers = list(dict.fromkeys(table["layer"]))
    for order, (tolerance, rows) in enumerate(table.groupby("tolerance", sort=True)):
        panel.plot(
            [layers.index(name) + 1 for name in rows["layer"]],
            rows["heads"],
            color=COLOURS[order % len(COLOURS)],
            marker=MARKERS[order % len(MARKERS)],
            markersize=5,
            label=f"{tolerance:g}" if tolerance else "exact",
        )
    most = max(table["positions"].tolist())
    panel.axhline(most, color="0.6", linestyle=":", linewidth=1)
    panel.annotate(f"{most} kernel positions", (0.99, most), xycoords=("axes fraction", "data"), ha="right")
    panel.set(
        xlabel="convolution, from input to output", ylabel="position-only heads needed", ylim=(0, most + 1)
    )
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.yaxis.set_major_locator(MaxNLocator(integer=True))
    panel.grid(axis="y", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, loc="lower left", title="singular values dropped\nbelow this share")
    figure.suptitle(title, fontsize=12)
    if notes:
        figure.supxlabel(notes, fontsize=7, color="0.35", ha="left", x=0.01)
    return figure
