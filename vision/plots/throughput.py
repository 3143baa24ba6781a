"""How many tokens a mixer takes a second, against the length of their sequence.

>>> plot_throughput(table, title="Throughput").savefig("throughput.svg")  # doctest: +SKIP
"""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from vision.plots.layout.figure import sheet
from vision.plots.layout.legend import as_label, legend_above
from vision.plots.layout.line_styles import looks
from vision.plots.layout.style import styled
from vision.plots.layout.tables import check_table
from vision.plots.layout.ticks import at_places

COLUMNS = ("mixer", "tokens", "tokens per s")


@styled
def plot_throughput(table: pd.DataFrame, *, title: str, notes: str = "") -> Figure:
    """Figure of tokens a second against tokens in a sequence, both on a log scale, one line a mixer.

    Args:
        table: columns mixer, tokens (of a sequence) and tokens per s.
        title: stands above the figure.
        notes: stands below it in small print: what a step is, threads, processor, versions, commit.

    Raises:
        ValueError: a column is missing, or there are no rows.
    """
    check_table(table, COLUMNS)
    figure, body = sheet(title, notes)
    panel = body.subplots()
    styles = looks(list(dict.fromkeys(table["mixer"])))
    for mixer, rows in table.groupby("mixer", sort=False):
        rows = rows.sort_values("tokens")
        panel.plot(rows["tokens"], rows["tokens per s"], label=as_label(mixer), **styles[mixer])
    panel.set(xscale="log", yscale="log", xlabel="tokens in a sequence (log scale)")
    panel.set_ylabel("tokens a second (log scale)")
    at_places(panel, sorted(set(table["tokens"])))
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
    legend_above(body, panel.get_lines())
    return figure
