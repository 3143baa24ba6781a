"""Differences of the first model to each of the others, of runs with the same subset and seed.

>>> paired(sweep, "CNN", ["ViT"])[0]["ViT"]  # doctest: +SKIP
"""

from collections.abc import Sequence
from contextlib import suppress

import pandas as pd

from vision.analysis import paired_differences
from vision.report.sweep import Sweep


def compared(sweep: Sweep) -> tuple[str, list[str]]:
    """The model that is compared first, and all others."""
    first = sweep.pair[0] if sweep.pair else sweep.labels[0]
    return first, [label for label in sweep.labels if label != first]


def paired(sweep: Sweep, first: str, others: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Differences by the other model's label; those without pairs are passed over, see `unpaired`."""
    found = {}
    for other in others:
        with suppress(ValueError):
            found[other] = paired_differences(sweep.records, first, other)
    return found


def unpaired(sweep: Sweep) -> list[str]:
    """A sentence for each model that cannot be paired with the first."""
    first, others = compared(sweep)
    said = []
    for other in others:
        try:
            paired_differences(sweep.records, first, other)
        except ValueError as error:
            said.append(f"{first} and {other} are not compared run by run: {error}.")
    return said
