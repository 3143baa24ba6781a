"""A reliability diagram: accuracy against confidence, one line per model.

>>> bins = pd.DataFrame({"label": "CNN", "train_size": 100, "confidence": [0.4, 0.9], "mean": [0.3, 0.7]})
>>> figure = plot_reliability(bins.assign(low=[0.2, 0.6], high=[0.4, 0.8]), title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vision.plots.layout.chart import add_to_chart, mark_points
from vision.plots.layout.figure import new_figure
from vision.plots.layout.intervals import draw_band
from vision.plots.layout.legend import as_label, legend_above, legend_height
from vision.plots.layout.line_styles import LineStyles, line_styles
from vision.plots.layout.point_texts import point_texts
from vision.plots.layout.small_multiples import height_of, name_axes, name_panel, small_multiples
from vision.plots.layout.style import MUTED, WIDTH, styled
from vision.plots.layout.tables import check_table, rows_with

COLUMNS = ("label", "train_size", "confidence", "mean", "low", "high")
CALIBRATED = "as sure as right"


@styled
def plot_reliability(
    bins: pd.DataFrame, *, title: str, notes: str = "", all_lines: Sequence[object] = ()
) -> Figure:
    """Draw accuracy against confidence with intervals, one panel per training-set size.

    Below the diagonal a model is surer than it is right.

    Args:
        bins: columns label, train_size, confidence, and mean, low and high of the accuracy, in [0, 1], as
            `vision.statistics.reliability` returns them.
        title: text above the figure.
        notes: small print below the figure.
        all_lines: all lines of several figures, so that each has the same style in all of them.

    Raises:
        ValueError: a column is missing, or the table has no rows.
    """
    check_table(bins, COLUMNS, name="bins")
    sizes, lines = sorted(set(bins["train_size"])), list(dict.fromkeys(bins["label"]))
    height = height_of(len(sizes), row=2.4) if len(sizes) > 1 else 3.4
    names = [*map(str, lines), CALIBRATED]
    figure, body = new_figure(title, notes, height=height + legend_height(names, WIDTH))
    panels, styles = small_multiples(body, len(sizes)), line_styles(lines, all_lines)
    for panel, size in zip(panels, sizes, strict=True):
        _panel(panel, rows_with(bins, "train_size", size), styles)
        name_panel(panel, f"{size:,} training images")
    panels[0].set(xlim=(0, 102), ylim=(0, 102))
    name_axes(body, panels, "confidence (%)", "accuracy (%)")
    handles = {str(line.get_label()): line for panel in panels for line in panel.get_lines()}
    legend_above(body, [handles[as_label(name)] for name in names])
    return figure


def _panel(panel: Axes, bins: pd.DataFrame, styles: LineStyles) -> None:
    panel.plot([0, 100], [0, 100], color=MUTED, linestyle=":", label=CALIBRATED)
    for name, look in styles.items():
        own = rows_with(bins, "label", name).sort_values("confidence")
        confidence, mean, low, high = (100 * own[column] for column in COLUMNS[2:])
        line = panel.plot(confidence, mean, label=as_label(name), **look, markersize=3.5)
        add_to_chart(panel, name, *line, *draw_band(panel, confidence, low, high, look["color"]))
        n = own["n"].tolist() if "n" in own else None
        texts = point_texts(confidence.round(1), mean, low, high, n=n, x="confidence", unit="% right")
        mark_points(panel, name, confidence, mean, texts)
