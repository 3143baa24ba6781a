"""Draw how many tokens a mixer processes per second, against the length of their sequence.

The numbers come from the section length of the benchmark.

python scripts/benchmark.py --sections length --json outputs/length.json
python scripts/throughput.py outputs/length.json --out docs/figures
"""

import argparse
import json
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from vision.plots import save
from vision.plots.layout.figure import new_figure
from vision.plots.layout.legend import as_label, legend_above
from vision.plots.layout.line_styles import line_styles
from vision.plots.layout.style import styled
from vision.plots.layout.tables import check_table
from vision.plots.layout.ticks import set_x_ticks

COLUMNS = ("mixer", "tokens", "tokens per s")


@styled
def plot_throughput(table: pd.DataFrame, *, title: str, notes: str = "") -> Figure:
    """Draw tokens per second against tokens per sequence, both on log scales, one line per mixer.

    Args:
        table: columns mixer, tokens (per sequence) and tokens per s.
        title: text above the figure.
        notes: small print below it: what a step is, threads, processor, versions, commit.

    Raises:
        ValueError: a column is missing, or there are no rows.
    """
    check_table(table, COLUMNS)
    figure, body = new_figure(title, notes)
    panel = body.subplots()
    styles = line_styles(list(dict.fromkeys(table["mixer"])))
    for mixer, rows in table.groupby("mixer", sort=False):
        rows = rows.sort_values("tokens")
        panel.plot(rows["tokens"], rows["tokens per s"], label=as_label(mixer), **styles[mixer])
    panel.set(xscale="log", yscale="log", xlabel="tokens in a sequence (log scale)")
    panel.set_ylabel("tokens a second (log scale)")
    set_x_ticks(panel, sorted(set(table["tokens"])))
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
    legend_above(body, panel.get_lines())
    return figure


def main() -> None:
    """Write the numbers of a file as throughput.png, .svg and .pdf."""
    parser = argparse.ArgumentParser(description="Draw throughput against length.")
    parser.add_argument("file", type=Path, help="JSON file of benchmark.py that has the section length")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="default: %(default)s")
    options = parser.parse_args()
    report = json.loads(options.file.read_text())
    machine = report["machine"]
    figure = plot_throughput(
        pd.DataFrame(report["length"]["cases"]),
        title="Tokens a second of one mixer, forward and backward",
        notes=(
            "width 64, 4 heads, 16,384 tokens a step in as many sequences as that makes; float32; medians of "
            f"CPU time, up to {report['rounds']} turns;\n{machine['threads']} thread of {machine['cpu']} "
            f"({machine['cores']} cores); torch {machine['torch']}, Python {machine['python']}; "
            f"commit {machine['commit']}, {machine['date']}"
        ),
    )
    save(figure, options.out / "throughput")


if __name__ == "__main__":
    main()
