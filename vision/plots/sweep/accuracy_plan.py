"""How an accuracy figure is laid out: its panels, its height, and where the names of the lines have room.

>>> plan_accuracy(curves, lines, "data").columns  # doctest: +SKIP
1
"""

from dataclasses import dataclass

import pandas as pd

from vision.plots.layout.end_labels import WIDEST, label_width
from vision.plots.layout.small_multiples import COLUMNS, extra_height, height_of
from vision.plots.layout.style import WIDTH
from vision.plots.layout.tables import is_ordered
from vision.plots.sweep.accuracy_lines import Lines
from vision.plots.sweep.accuracy_rows import row_names
from vision.text import value_text

BODY = 3.2  # height of a single panel in inches
STACKED = 3  # panels up to which each has a row of its own if its labels need the width
BESIDE = 0.3  # of the width of one of several panels side by side, for the names
UNITS = {"label": "{}", "train_size": "{} images"}  # lines that are named at their ends, and how


@dataclass(frozen=True, slots=True)
class AccuracyPlan:
    """How an accuracy figure is laid out.

    Attributes:
        panels: the value of each panel.
        ordered: whether x is an axis of numbers, rather than one row per name.
        numbers: whether the lines are numbers, in whose order they stay.
        beside: whether the names of the lines may be at their ends.
        texts: the text at the end of each line.
        columns: of the panels.
        height: of all panels, in inches.
    """

    panels: list[object]
    ordered: bool
    numbers: bool
    beside: bool
    texts: dict[object, str]
    columns: int
    height: float


def plan_accuracy(curves: pd.DataFrame, lines: Lines, panel: str) -> AccuracyPlan:
    """Plan the figure of some curves, with one panel for each value of the column `panel`."""
    panels, ordered = list(dict.fromkeys(curves[panel])), is_ordered(curves[lines.x])
    texts = {name: UNITS.get(lines.line, "{}").format(value_text(name)) for name in lines.styles}
    columns = _columns(len(panels), list(texts.values())) if ordered and lines.line in UNITS else 0
    rows = set(curves[lines.x])
    high = len(rows) + sum(name.count("\n") / 2 for name in row_names(rows))
    height = _height(len(panels), columns or COLUMNS, high, ordered=ordered)
    if len(panels) > 1:
        height += extra_height(map(value_text, panels), len(panels), columns or COLUMNS)
    numbers = is_ordered(curves[lines.line])
    return AccuracyPlan(panels, ordered, numbers, columns > 0, texts, columns or COLUMNS, height)


def _columns(panels: int, names: list[str]) -> int:
    """Return the number of columns in which panels have room for names at the ends of lines; 0 if none."""
    if panels > 1 and label_width(names) <= BESIDE * WIDTH / COLUMNS:
        return COLUMNS
    return int(panels <= STACKED and label_width(names) <= WIDEST * WIDTH)


def _height(panels: int, columns: int, rows: float, *, ordered: bool) -> float:
    body = BODY if ordered else 0.26 * rows + 0.6
    return body if panels == 1 else height_of(panels, columns, row=2.1 if ordered else body)
