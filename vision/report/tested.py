"""What the runs of a sweep made of each test image.

>>> tested_at(sweep, ["CNN", "ViT"], 5000)["CNN"].predictions.shape  # doctest: +SKIP
(3, 10000)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vision import results
from vision.report.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Tested:
    """Predictions (R, N) of a model's runs in the order of their seeds, labels (N,), and class names."""

    predictions: np.ndarray
    labels: np.ndarray
    classes: list[str]


def tested_at(sweep: Sweep, names: Sequence[str], size: int) -> dict[str, Tested]:
    """Models by their labels, each with those runs at a size whose seed and subset all of them have.

    It is empty where predictions were not kept with their labels, as in records of version 1 or in a table,
    or were removed, or where the models share no seed.
    """
    records: Any = sweep.records
    if not sweep.is_folder or "classes" not in records:
        return {}
    gone = {*sweep.lacking.get(results.PREDICTIONS, ()), *sweep.lacking.get(results.LABELS, ())}
    there = records["classes"].notna() & ~records["folder"].isin(gone)
    at: Any = records[(records["train_size"] == size) & there]
    runs = {name: at[at["label"] == name].set_index(["seed", "subset_seed"]) for name in names}
    shared = set.intersection(*(set(own.index) for own in runs.values()))
    if not shared:
        return {}
    return {name: _read(sweep, own.loc[sorted(shared)]) for name, own in runs.items()}


def _read(sweep: Sweep, runs: Any) -> Tested:
    return Tested(*results.predictions(sweep.source, runs), classes=list(runs["classes"].iloc[0]))
