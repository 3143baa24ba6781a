"""The tables that `vision plot` prints: cost of the models, scores, chosen settings.

>>> console().print(score_table(curves, x="train_size", line="label", panel="data", metric="test_accuracy"))
... # doctest: +SKIP
"""

from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from vision.dynamic import TableRow
from vision.text import short_name, value_text

NAME = 40  # letters in a line of a name


def cost_table(records: pd.DataFrame) -> Table:
    """Return a table of parameters and multiply-adds, one row per model."""
    table = Table("model", "parameters", "multiply-adds per image", box=SIMPLE_HEAD)
    several = len(set(records["data"])) > 1
    for run in records.drop_duplicates(["data", "label"]).to_dict("records"):
        costs = ("" if pd.isna(run[name]) else f"{run[name]:,.0f}" for name in ("params", "macs"))
        table.add_row(f"{run['label']} on {run['data']}" if several else run["label"], *costs)
    return table


def score_table(curves: pd.DataFrame, *, x: str, line: str, panel: str, metric: str) -> Table:
    """Return a table of means with intervals: one row per line and one column per x.

    If x is a name rather than a number, rows and columns are exchanged.
    """
    rows, columns = (line, x) if pd.api.types.is_numeric_dtype(curves[x]) else (x, line)
    heads = sorted(set(curves[columns])) if columns == x else list(dict.fromkeys(curves[columns]))
    table = _empty_score_table(curves, heads, columns, metric)
    varying_n, several = curves["n"].nunique() > 1, len(set(curves[panel])) > 1
    groups: Any = curves.groupby([panel, rows], sort=False, dropna=False)
    for (panel_value, row_value), group in groups:
        points = {point[columns]: point for point in group.to_dict("records")}
        cells = [_score(points[head], with_n=varying_n) if head in points else "" for head in heads]
        where = f" on {panel_value}" if panel == "data" else f", {value_text(panel_value)}"
        table.add_row(value_text(row_value) + (where if several else ""), *cells)
    return table


def choice_table(choices: pd.DataFrame) -> Table:
    """Return a table of the settings that validation chose."""
    title = "chosen by validation, which never uses the test images"
    table = Table(*(short_name(str(name)) for name in choices), title=title, box=SIMPLE_HEAD)
    for row in choices.to_dict("records"):
        table.add_row(*(value_text(value, digits=4) for value in row.values()))
    return table


def _empty_score_table(curves: pd.DataFrame, heads: list[object], columns: str, metric: str) -> Table:
    counts = sorted(set(curves["n"]))
    n = f"n = {counts[0]}" if len(counts) == 1 else "(n)"
    spread = " ± half of the 95% interval" if counts[-1] > 1 else ""
    name = "images" if columns == "train_size" else short_name(columns)
    first = Column(name, max_width=NAME, overflow="fold")
    title = f"{metric.replace('_', ' ')} in %, mean{spread}, {n}"
    return Table(first, *map(value_text, heads), box=SIMPLE_HEAD, pad_edge=False, title=title)


def _score(point: TableRow, *, with_n: bool) -> str:
    n = f" ({point['n']})" if with_n else ""
    mean = point["mean"]
    if pd.isna(point["high"]):
        return f"{100 * mean:.1f}{n}"
    half = max(point["high"] - mean, mean - point["low"])
    return f"{100 * mean:.1f} ±{100 * half:.1f}{n}"
