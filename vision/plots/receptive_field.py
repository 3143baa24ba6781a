"""Accuracy along the line from 1 x 1 to global: one panel a kind of weights, one line a field.

>>> plot_receptive_field(curves, title="cifar10-jpeg").savefig("receptive_field.svg")  # doctest: +SKIP
"""

import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from vision.plots.curves import MARKERS

DARK, LIGHT = 0.1, 0.85  # of the colour map, from the smallest field to the largest


def plot_receptive_field(curves: pd.DataFrame, *, title: str, notes: str = "") -> Figure:
    """Figure of mean and interval by training-set size, coloured by the field.

    Args:
        curves: columns kind, field (tokens across), train_size, mean, low and high.
        title: stands above the figure.
        notes: stands below it in small print.
    """
    kinds, fields = list(dict.fromkeys(curves["kind"])), sorted(set(curves["field"]))
    figure = Figure(figsize=(4.0 * len(kinds), 4.6), layout="constrained")
    panels = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
    shades = colormaps["viridis"]
    sizes = sorted(set(curves["train_size"]))
    for panel, kind in zip(panels, kinds, strict=True):
        for order, field in enumerate(fields):
            rows = curves.query("kind == @kind and field == @field").sort_values("train_size")
            colour = shades(DARK + (LIGHT - DARK) * order / max(1, len(fields) - 1))
            panel.plot(
                rows["train_size"],
                100 * rows["mean"],
                color=colour,
                marker=MARKERS[order % len(MARKERS)],
                markersize=5,
                label=f"{field} x {field}",
            )
            panel.fill_between(
                rows["train_size"],
                100 * rows["low"],
                100 * rows["high"],
                color=colour,
                alpha=0.12,
                linewidth=0,
            )
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(FixedLocator(sizes))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
        panel.set(title=kind, xlabel="training images (log scale)")
        panel.grid(axis="y", color="0.9")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("test accuracy (%)")
    panels[-1].legend(frameon=False, loc="lower right", title="field, in patches")
    figure.suptitle(title, fontsize=12)
    if notes:
        figure.supxlabel(notes, fontsize=7, color="0.35", ha="left", x=0.01)
    return figure
