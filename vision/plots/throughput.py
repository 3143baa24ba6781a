"""How many tokens a mixer takes a second, against the length of their sequence.

>>> plot_throughput(table, title="Throughput").savefig("throughput.svg")  # doctest: +SKIP
"""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from vision.plots.curves import COLOURS, MARKERS

COLUMNS = ("mixer", "tokens", "tokens per s")


def plot_throughput(table: pd.DataFrame, *, title: str, notes: str = "") -> Figure:
    """Figure of tokens a second against tokens in a sequence, both on a log scale, one line a mixer.

    Args:
        table: columns mixer, tokens (of a sequence) and tokens per s.
        title: stands above the figure.
        notes: stands below it in small print: what a step is, threads, processor, versions, commit.

    Raises:
        ValueError: a column is missing, or there are no rows.
    """
    if missing := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"table must have columns {', '.join(COLUMNS)}, got none named {', '.join(missing)}")
    if table.empty:
        raise ValueError("table must have rows, got none")
    figure = Figure(figsize=(7.6, 5.0), layout="constrained")
    panel = figure.subplots()
    for order, (mixer, rows) in enumerate(table.groupby("mixer", sort=False)):
        colour, marker = COLOURS[order % len(COLOURS)], MARKERS[order % len(MARKERS)]
        rows = rows.sort_values("tokens")
        panel.plot(rows["tokens"], rows["tokens per s"], color=colour, marker=marker, label=str(mixer))
    lengths = sorted(set(table["tokens"]))
    panel.set(xscale="log", yscale="log", xlabel="tokens in a sequence (log scale)")
    panel.set_ylabel("tokens a second (log scale)")
    panel.xaxis.set_major_locator(FixedLocator(lengths))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_minor_formatter(NullFormatter())
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
    panel.grid(axis="y", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=12)
    if notes:
        figure.supxlabel(notes, fontsize=7, color="0.35", ha="left", x=0.01)
    return figure
