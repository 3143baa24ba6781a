"""Validation accuracy, loss or another measure against optimizer steps.

>>> learning = pd.DataFrame({"label": "CNN", "train_size": 100, "seed": 0, "step": [10, 20]})
>>> figure = plot_learning_curves(learning.assign(val_accuracy=[0.5, 0.7]), title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vision.plots.layout.chart import add_to_chart, mark_points
from vision.plots.layout.figure import new_figure
from vision.plots.layout.legend import as_label, handles_of, legend_above, legend_height
from vision.plots.layout.line_styles import LineStyles, line_styles
from vision.plots.layout.small_multiples import COLUMNS, height_of, name_axes, name_panel, small_multiples
from vision.plots.layout.style import WIDTH, styled
from vision.plots.layout.tables import check_table, rows_with

MARKED = 12  # markers along a line, at most
NAMES = {
    "val_accuracy": "accuracy in validation (%)",
    "train_loss": "training loss",
    "val_loss": "validation loss",
    "distance": "attention distance (pixels)",
}


@styled
def plot_learning_curves(
    learning: pd.DataFrame,
    *,
    title: str,
    notes: str = "",
    metric: str = "val_accuracy",
    line: str = "label",
    panel: str = "train_size",
    all_lines: Sequence[object] = (),
) -> Figure:
    """Draw a metric against steps, one panel per training-set size or model: faint seeds and their mean.

    The mean is drawn at the steps for which all seeds of a line have a value.

    Args:
        learning: columns label, train_size, seed, step and the metric; one row per evaluation.
        title: text above the figure.
        notes: small print below the figure.
        metric: val_accuracy, train_loss or another column; drawn in percent if its name ends in
            accuracy.
        line: the column with one line per value.
        panel: the column with one panel per value.
        all_lines: all lines of several figures, so that each has the same style in all of them.

    Raises:
        ValueError: a column is missing, or the table has no rows.
    """
    check_table(learning, (line, panel, "seed", "step", metric), name="learning")
    values, lines = _values(learning, panel), _values(learning, line)
    names = [_name(name) for name in lines]
    columns = 3 if len(values) == 3 else COLUMNS  # no row is half empty
    height = height_of(len(values), columns, row=1.9) if len(values) > 1 else 3.2
    figure, body = new_figure(title, notes, height=height + legend_height(names, WIDTH))
    panels, styles = small_multiples(body, len(values), columns, same_x=False), line_styles(lines, all_lines)
    factor = 100 if metric.endswith("accuracy") else 1
    for axes, value in zip(panels, values, strict=True):
        rows = rows_with(learning, panel, value)
        _panel(axes, rows.assign(**{metric: factor * rows[metric]}), metric, line, styles)
        name_panel(axes, _name(value, "training images" if columns < 3 else "images"))
        axes.xaxis.set_major_locator(MaxNLocator(4 if columns < 3 else 3, integer=True))
    name_axes(body, panels, "optimizer steps", NAMES.get(metric, metric.replace("_", " ")))
    ranked = _by_last_value(rows_with(learning, panel, values[-1]), metric, line) if line == "label" else []
    legend_above(body, handles_of(panels, list(dict.fromkeys([*ranked, *names]))))
    return figure


def _values(learning: pd.DataFrame, column: str) -> list[Any]:
    """Return the values of a column: sizes in ascending order, models in order of appearance."""
    values = list(dict.fromkeys(learning[column]))
    return sorted(values) if column == "train_size" else values


def _name(value: object, images: str = "images") -> str:
    """Return a size as "1,000 images"; a model has its name."""
    return value if isinstance(value, str) else f"{value:,} {images}"


def _by_last_value(rows: pd.DataFrame, metric: str, line: str) -> list[str]:
    """Return the lines by the mean over seeds of their last value, best first."""
    last = rows[rows["step"] == rows.groupby(line)["step"].transform("max")]
    means = last.groupby(line, sort=False)[metric].mean()
    ranked = means.sort_values(ascending=metric.endswith("loss"), kind="stable")
    return [str(name) for name in ranked.index]


def _panel(panel: Axes, rows: pd.DataFrame, metric: str, line: str, styles: LineStyles) -> None:
    for value, runs in rows.groupby(line, sort=False):
        name, look = _name(value), styles[value]
        seeds = runs.pivot_table(index="step", columns="seed", values=metric).sort_index()
        for seed in seeds if seeds.shape[1] > 1 else ():
            run = panel.plot(seeds.index, seeds[seed], label="_a seed", color=look["color"])
            run[0].set(linestyle=look["linestyle"], linewidth=0.7, alpha=0.35)
            add_to_chart(panel, name, *run)
        mean = seeds.dropna().mean(axis=1)
        every = max(1, -(-len(mean) // MARKED))
        add_to_chart(
            panel, name, *panel.plot(mean.index, mean, label=as_label(name), markevery=every, **look)
        )
        unit = "%" if metric.endswith("accuracy") else ""
        texts = [f"step {step:,}: {value:.{1 if unit else 3}f}{unit}" for step, value in mean.items()]
        mark_points(panel, name, mean.index, mean, texts)
