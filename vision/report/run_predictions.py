"""The predictions of a sweep's runs for each test image.

>>> predictions_at(sweep, ["CNN", "ViT"], 5000)["CNN"].predictions.shape  # doctest: +SKIP
(3, 10000)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vision import results
from vision.report.sweep import Sweep
from vision.statistics.columns import RUN_KEYS


@dataclass(frozen=True, slots=True)
class RunPredictions:
    """The predictions of a model's runs, in the order of their seeds.

    Attributes:
        predictions: Predicted classes, (R, N).
        labels: True classes, (N,).
        classes: Names of the classes.
        seeds: Seeds of the runs, (R,).
        subsets: Seeds of their subsets, (R,).
    """

    predictions: np.ndarray
    labels: np.ndarray
    classes: list[str]
    seeds: list[int]
    subsets: list[int]


def predictions_at(sweep: Sweep, names: Sequence[str], size: int) -> dict[str, RunPredictions]:
    """Return, by label, the predictions of those runs at a size whose seed and subset all models have.

    Empty where predictions or labels were not kept (records of version 1, tables) or were removed, and
    where the models have no seed in common.
    """
    records = sweep.records
    if not sweep.is_folder or "classes" not in records:
        return {}
    missing = sweep.missing_files
    gone = [*missing.get(results.PREDICTIONS, ()), *missing.get(results.LABELS, ())]
    known = records[records["classes"].notna() & ~records["folder"].isin(gone)]
    known = known[known["train_size"] == size]
    known = known.drop_duplicates(["label", *RUN_KEYS]).set_index(RUN_KEYS[1:])
    runs = {name: known[known["label"] == name] for name in names}
    shared: list[tuple[int, int]] = sorted(
        set[tuple[int, int]].intersection(*(set(own.index.tolist()) for own in runs.values()))
    )
    return {name: _read(sweep, own.loc[shared]) for name, own in runs.items()} if shared else {}


def _read(sweep: Sweep, runs: pd.DataFrame) -> RunPredictions:
    predictions, labels = results.predictions(sweep.source, runs)
    seeds, subsets = (runs.index.get_level_values(name).tolist() for name in RUN_KEYS[1:])
    return RunPredictions(predictions, labels, list(runs["classes"].iloc[0]), seeds, subsets)
