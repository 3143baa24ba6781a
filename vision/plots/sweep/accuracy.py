"""Accuracy against training-set size, one line per model; or against any other setting.

>>> curves = pd.DataFrame({"data": "digits", "label": "CNN", "train_size": [100, 1000], "mean": [0.5, 0.7]})
>>> figure = plot_accuracy(curves.assign(low=[0.4, 0.6], high=[0.6, 0.8]), title="digits")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from vision.plots.layout.end_labels import by_last_value, place_end_labels
from vision.plots.layout.figure import new_figure
from vision.plots.layout.legend import add_legend
from vision.plots.layout.line_styles import line_styles
from vision.plots.layout.run_dots import MOST_LINES, NOTE, ROWS_NOTE
from vision.plots.layout.small_multiples import name_axes, name_panel, small_multiples
from vision.plots.layout.style import styled
from vision.plots.layout.tables import check_table, is_ordered, rows_with
from vision.plots.layout.ticks import set_x_ticks
from vision.plots.sweep.accuracy_lines import Lines, draw_lines, line_ends
from vision.plots.sweep.accuracy_plan import AccuracyPlan, plan_accuracy
from vision.plots.sweep.accuracy_rows import draw_rows
from vision.text import short_name, value_text


@styled
def plot_accuracy(
    curves: pd.DataFrame,
    *,
    title: str,
    notes: str = "",
    metric: str = "test accuracy",
    x: str = "train_size",
    line: str = "label",
    panel: str = "data",
    xlabel: str | None = None,
    centre: str = "mean",
    runs: pd.DataFrame | None = None,
    intervals: bool = True,
    scale: Literal["log", "linear"] = "log",
    mark_best: bool = True,
    unit: str = "%",
    all_lines: Sequence[object] = (),
) -> Figure:
    """Draw centre and interval against x: one colour per line, named at its end where there is room.

    Lines of numbers, such as field sizes, run from dark to light. If x is not the training-set size, a ring
    marks the best x of each line whose interval excludes the lowest centre. If x is a name, such as a model,
    each name has one row, with the best on top. Lines that coincide share their dashes.

    Args:
        curves: as `vision.statistics.accuracy_curves` returns them with the same x, line and panel.
        title: text above the figure.
        notes: small print below the figure, such as n, interval, versions, device and commit.
        metric: name of the y axis.
        x, line, panel: the columns for the x axis, the lines and the panels.
        xlabel: name of the x axis; None is the name of x.
        centre: the column to draw: mean, median or iqm.
        runs: single runs to draw as faint dots, as `vision.statistics.run_scores` returns them.
        intervals: False draws the runs large and side by side, with a thin line and no interval: for runs
            that `vision.statistics.all_or_nothing` detects.
        scale: of an x axis of numbers whose largest is many times the smallest.
        mark_best: whether to mark the best x of each line.
        unit: of the values; those in % are shares in the table.
        all_lines: all lines of several figures, so that each has the same style in all of them.

    Raises:
        ValueError: a column is missing, or the table has no rows.
    """
    check_table(curves, (panel, line, x, centre, "low", "high"), name="curves")
    if runs is not None:
        check_table(runs, (panel, line, x, "score"), name="runs")
        runs = runs if curves[line].nunique() <= MOST_LINES else None
    styles = line_styles(_in_order(curves[line]), all_lines)
    lines = Lines(
        styles,
        x=x,
        line=line,
        centre=centre,
        intervals=intervals,
        scale=scale,
        mark_best=mark_best,
        unit=unit,
    )
    plan = plan_accuracy(curves, lines, panel)
    figure, body = new_figure(
        title, notes if runs is None else _with_note(notes, plan.ordered), height=plan.height
    )
    panels = small_multiples(body, len(plan.panels), plan.columns)
    tables = {one: rows_with(curves, panel, value) for one, value in zip(panels, plan.panels, strict=True)}
    for (one, own), value in zip(tables.items(), plan.panels, strict=True):
        own_runs = None if runs is None else rows_with(runs, panel, value)
        (draw_lines if plan.ordered else draw_rows)(one, own, lines, own_runs)
        if panel != "data" or len(panels) > 1:
            name_panel(one, value_text(value))
    for one in (
        panels if unit == "%" else ()
    ):  # they share the axis, so its limits are known when all are drawn
        _end_at_100(one, along_y=plan.ordered)
    only = value_text(plan.panels[0]) if panel == "data" and len(panels) == 1 else ""
    along, share = xlabel or _x_name(x, scale, only), f"{metric} ({unit.strip()})"
    name_axes(body, panels, along if plan.ordered else share, share if plan.ordered else "")
    _name_lines(figure, body, tables, lines, plan)
    return figure


def _x_name(x: str, scale: str, data: str) -> str:
    if x != "train_size":
        return _short(x)
    where = f"{data}, " if data else ""
    return f"training images ({where}{scale} scale)" if scale == "log" else "training images"


def _name_lines(
    figure: Figure, body: SubFigure, tables: Mapping[Axes, pd.DataFrame], lines: Lines, plan: AccuracyPlan
) -> None:
    """Name the lines at their ends, or in a legend where they have no room; the ticks are set for both."""
    _set_ticks(tables, lines.x, plan)  # those of matplotlib are too wide to lay out the figure
    ends = {one: line_ends(own, lines, plan.texts) if plan.ordered else [] for one, own in tables.items()}
    if not (plan.beside and place_end_labels(ends)):
        names = [value_text(name) for name in lines.styles]
        ranked = names if plan.numbers else by_last_value(ends, names)
        legend_title = "" if lines.line == "label" else _short(lines.line)
        add_legend(figure, body, list(tables), ranked, title=legend_title)
    _set_ticks(tables, lines.x, plan)


def _set_ticks(tables: Mapping[Axes, pd.DataFrame], x: str, plan: AccuracyPlan) -> None:
    for panel, curves in tables.items() if plan.ordered else ():
        set_x_ticks(panel, sorted(set(curves[x])))


def _end_at_100(panel: Axes, *, along_y: bool) -> None:
    """Let the axis of the accuracy end a little above 100%, so that no tick is beyond it."""
    low, high = panel.get_ylim() if along_y else panel.get_xlim()
    top = 100 + 0.04 * (high - low)
    if high > top:
        panel.set(**{"ylim" if along_y else "xlim": (low, top)})


def _with_note(notes: str, ordered: bool) -> str:
    return f"{notes}; {NOTE if ordered else ROWS_NOTE}".removeprefix("; ")


def _in_order(lines: "pd.Series[Any]") -> list[Any]:
    """Return the lines: numbers ascending, names in the order of the table."""
    values = list(dict.fromkeys(lines.tolist()))
    return sorted(values) if is_ordered(lines) else values


def _short(name: str) -> str:
    """ "model.kwargs.mixer_options.kernel_size" -> "kernel_size"."""
    parts = [short_name(part) for part in name.split(",")]
    return ", ".join("training images" if part == "train_size" else part for part in parts)
