"""What `vision evaluate` measured, each measure compared over models and sizes as accuracy is.

>>> [measure.name for measure in measures(sweep)]  # doctest: +SKIP
['accuracy under corruption', 'relative accuracy under corruption', 'calibration']
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from vision.report.sweep import Sweep
from vision.statistics import (
    BINNINGS,
    Comparison,
    accuracy_curves,
    calibration_errors,
    compare_models,
    mean_scores,
    with_score,
)

SCORE = "evaluation_score"  # the column of a measure


@dataclass(frozen=True, eq=False)
class Measure:
    """One score per run, which takes the place of the test accuracy; larger is better.

    Attributes:
        name: what it is.
        evaluation: the evaluation that it comes from.
        records: the runs that have it, with the column SCORE in [0, 1].
        pairs: the models to compare.
        missing: number of runs of the sweep without it.
    """

    name: str
    evaluation: str
    records: pd.DataFrame
    pairs: tuple[tuple[str, str], ...]
    missing: int

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Mean and t interval of each model and size."""
        return accuracy_curves(self.records, metric=SCORE)

    @cached_property
    def comparisons(self) -> dict[tuple[str, str], Comparison]:
        """The comparisons of the pairs that have two runs each at some size."""
        found: dict[tuple[str, str], Comparison] = {}
        for pair in self.pairs:
            with suppress(ValueError):
                found[pair] = compare_models(self.records, *pair, metric=SCORE)
        return found


def _mean_of(score: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda table: mean_scores(table, score)


def _calibration(table: pd.DataFrame) -> pd.Series:
    return 1 - calibration_errors(table, BINNINGS[0])


# Name of each measure, its evaluation, and the score of each run.
MEASURES: tuple[tuple[str, str, Callable[[pd.DataFrame], pd.Series]], ...] = (
    ("accuracy under corruption", "corruptions", _mean_of("accuracy")),
    ("relative accuracy under corruption", "corruptions", _mean_of("kept")),
    ("relative accuracy with shuffled patches", "shuffled_patches", _mean_of("kept")),
    ("consistency under shifts", "translations", _mean_of("consistency")),
    ("relative accuracy under occlusion", "occlusion", _mean_of("kept")),
    ("calibration", "calibration", _calibration),
    (
        "calibration under corruption",
        "corruptions",
        lambda table: 1 - mean_scores(table, "calibration_error"),
    ),
    ("few-shot accuracy", "probe", _mean_of("accuracy")),
    ("few-shot accuracy on other data", "transfer", _mean_of("accuracy")),
)


def measures(sweep: Sweep, tables: Mapping[str, pd.DataFrame]) -> list[Measure]:
    """Return the measures that some runs have, in the order of `MEASURES`."""
    pairs = tuple((sweep.first, other) for other in sweep.others)
    found: list[Measure] = []
    for name, evaluation, score in MEASURES:
        if evaluation not in tables:
            continue
        records = with_score(sweep.compared, score(tables[evaluation]).clip(0, 1), SCORE)
        if len(records):
            missing = len(sweep.records) - len(records)
            found.append(Measure(name, evaluation, records, pairs, missing))
    return found
