"""What `vision evaluate` prints: means of each measure, and who is ahead in it.

>>> for part in measure_tables(Path("outputs/demo"), ["calibration"]):  # doctest: +SKIP
...     console().print(part)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.table import Table

from vision.cli.plot_tables import score_table
from vision.report.inside_models import inside_measures
from vision.report.measures import SCORE, measures
from vision.report.read_sweep import read_sweep
from vision.report.wording.robustness import measure_answer
from vision.statistics import accuracy_curves


@dataclass(frozen=True, slots=True)
class Printed:
    """A measure as it is printed: a table of means if they are shares, and its answers."""

    table: Table | None
    answers: list[str]


def measure_tables(sweep: Path, names: list[str]) -> Iterator[Printed]:
    """Yield each measure of the evaluations with these names.

    Raises:
        ValueError: the runs cannot be compared; see `read_sweep`.
    """
    read = read_sweep(sweep)
    for inside in inside_measures(read, read.evaluations):
        if inside.evaluation in names:
            curves = accuracy_curves(inside.records, metric=SCORE) if inside.is_share else None
            yield Printed(None if curves is None else _table(curves, inside.name), inside.answers)
    for measure in measures(read, read.evaluations):
        if measure.evaluation in names:
            answers = [measure_answer(measure.name, one) for one in measure.comparisons.values()]
            yield Printed(_table(measure.curves, measure.name), answers)


def _table(curves: pd.DataFrame, name: str) -> Table:
    table = score_table(curves, x="train_size", line="label", panel="data", metric=SCORE)
    table.title = str(table.title).replace(SCORE.replace("_", " "), name)
    return table
