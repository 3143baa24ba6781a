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
from vision.statistics.records import RUN


@dataclass(frozen=True, slots=True)
class Tested:
    """What a model's runs, in the order of their seeds, made of the test images.

    Attributes:
        predictions: (R, N) classes given.
        labels: (N,) true ones.
        classes: their names.
        seeds, subsets: (R) the runs' seeds, and those of their subsets.
    """

    predictions: np.ndarray
    labels: np.ndarray
    classes: list[str]
    seeds: list[int]
    subsets: list[int]


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
    at = at.drop_duplicates(["label", *RUN]).set_index(RUN[1:])
    runs = {name: at[at["label"] == name] for name in names}
    shared = set.intersection(*(set(own.index) for own in runs.values()))
    if not shared:
        return {}
    return {name: _read(sweep, own.loc[sorted(shared)]) for name, own in runs.items()}


def _read(sweep: Sweep, runs: Any) -> Tested:
    predictions, labels = results.predictions(sweep.source, runs)
    seeds, subsets = (runs.index.get_level_values(name).tolist() for name in RUN[1:])
    return Tested(predictions, labels, list(runs["classes"].iloc[0]), seeds, subsets)
