"""What `vision evaluate` prints: means of each measure, and who is ahead in it.

>>> for part in measure_tables(Path("outputs/demo"), ["calibration"]):  # doctest: +SKIP
...     console().print(part)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from vision.cli.plot_tables import score_table
from vision.report.measures import SCORE, measures, read_tables
from vision.report.read_sweep import read_sweep
from vision.report.wording.robustness import measure_answer


@dataclass(frozen=True, slots=True)
class Printed:
    """A measure as it is printed: a table of means, and a sentence for each pair of models."""

    table: Table
    answers: list[str]


def measure_tables(sweep: Path, names: list[str]) -> Iterator[Printed]:
    """Yield each measure of the evaluations with these names.

    Raises:
        ValueError: the runs cannot be compared; see `read_sweep`.
    """
    read = read_sweep(sweep)
    for measure in measures(read, read_tables(read)):
        if measure.evaluation in names:
            table = score_table(measure.curves, x="train_size", line="label", panel="data", metric=SCORE)
            table.title = str(table.title).replace(SCORE.replace("_", " "), measure.name)
            answers = [measure_answer(measure.name, one) for one in measure.comparisons.values()]
            yield Printed(table, answers)
