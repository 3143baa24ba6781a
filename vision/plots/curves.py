"""The headline figure: accuracy against training-set size, one line a model.

>>> plot_accuracy(accuracy_curves(records), title="digits").savefig("accuracy.svg")  # doctest: +SKIP
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

# Okabe and Ito's palette, told apart by the colour-blind; the marker differs as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def plot_accuracy(
    curves: pd.DataFrame, *, title: str, notes: str = "", metric: str = "test accuracy"
) -> Figure:
    """Figure of mean and interval by training-set size; one panel a data set.

    Args:
        curves: as `vision.analysis.accuracy_curves` gives them, with an optional column params.
        title: stands above the figure.
        notes: stands below it in small print: n, the interval's kind, versions, device, commit.
        metric: name of the vertical axis.
    """
    names = list(dict.fromkeys(curves["data"]))
    figure = Figure(figsize=(7.2 * len(names), 5.2), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    labels = list(dict.fromkeys(curves["label"]))
    for panel, name in zip(panels, names, strict=True):
        _panel(panel, curves.query("data == @name"), labels)
        panel.set(xlabel=f"training images ({name}, log scale)", ylabel=f"{metric} (%)")
    figure.suptitle(title, fontsize=12)
    if notes:
        figure.supxlabel(notes, fontsize=7, color="0.35", ha="left", x=0.01)
    return figure


def _panel(panel: Axes, curves: pd.DataFrame, labels: list[str]) -> None:
    for label, curve in curves.groupby("label", sort=False):
        order = labels.index(str(label))
        colour, marker = COLOURS[order % len(COLOURS)], MARKERS[order % len(MARKERS)]
        sizes, mean = curve["train_size"], 100 * curve["mean"]
        panel.plot(sizes, mean, color=colour, marker=marker, markersize=5, label=str(label))
        panel.fill_between(
            sizes, 100 * curve["low"], 100 * curve["high"], color=colour, alpha=0.18, linewidth=0
        )
    sizes = sorted(set(curves["train_size"]))
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(sizes))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
    panel.grid(axis="y", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, loc="lower right")
