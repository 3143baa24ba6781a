"""The first model against each of the others, by runs with the same subset and seed; kept for the sweep.

>>> paired(sweep)[0]["ViT"]  # doctest: +SKIP
"""

from functools import lru_cache

import pandas as pd

from vision.report.sweep import Sweep
from vision.statistics import Crossover, crossover, data_equivalence, paired_differences


def compared(sweep: Sweep) -> tuple[str, list[str]]:
    """The model that is compared first, and all others."""
    first = sweep.pair[0] if sweep.pair else sweep.labels[0]
    return first, [label for label in sweep.labels if label != first]


@lru_cache(maxsize=1)
def paired(sweep: Sweep) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Differences of the first model by the other's label; and those others without pairs -> why."""
    first, others = compared(sweep)
    found, failed = {}, {}
    for other in others:
        try:
            found[other] = paired_differences(sweep.records, first, other)
        except ValueError as error:
            failed[other] = str(error)
    return found, failed


@lru_cache(maxsize=16)
def crossed(sweep: Sweep, first: str, second: str) -> Crossover:
    """Where the lead between two models changes.

    Raises:
        ValueError: there are too few pairs of runs.
    """
    return crossover(sweep.records, first, second)


@lru_cache(maxsize=1)
def equivalent(sweep: Sweep, first: str, second: str) -> pd.DataFrame:
    """How many images the first model needs for the second's errors.

    Raises:
        ValueError: the first has one size only.
    """
    return data_equivalence(sweep.records, first, second)
