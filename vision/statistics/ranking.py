"""Which model is ahead at each training-set size, and which others it cannot be told from.

>>> leaders(records)  # doctest: +SKIP
"""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from vision.statistics.intervals import CONFIDENCE, interval_of
from vision.statistics.records import runs_of

COLUMNS = ["train_size", "models", "best", "mean", "n", "least", "within_chance"]


def leaders(records: pd.DataFrame, *, metric: str = "test_accuracy") -> pd.DataFrame:
    """The model with the best mean at each training-set size, and those within chance of it.

    A model is behind where two tests say so. One is Tukey's on the seeds as blocks: what a seed and its
    subset do to all models is taken out, the rest is one spread for all models of a size, and its mean lacks
    more than the studentized range allows at level 0.05 over all pairs, so that it does not matter that the
    best is chosen by its mean. The other is the paired t test against the best, at level 0.05, as models may
    differ in spread, which misleads Tukey's: of 6 equal models, one with four times the spread, it alone
    called one behind in 13 to 14 of 100 simulated sweeps, both together in 7; with equal spreads both did in
    4. Each size is judged by itself. Only seeds that every model of the size has count for it; with fewer
    than two nothing is tested, and all are within chance.

    Args:
        records: one row a run; see `vision.statistics.records`.
        metric: an accuracy.

    Returns:
        Columns train_size, models (how many have runs), best (a label), mean (its), n (seeds that count),
        least (the smallest difference beyond chance by Tukey's test, missing where nothing is),
        within_chance (labels, best first).

    Raises:
        ValueError: a column is not there, or the runs are of several data sets.
    """
    runs: Any = runs_of(records, list(dict.fromkeys(records["label"])), metric)
    rows = []
    for size, group in runs.groupby("train_size"):
        means = group.groupby("label")[metric].mean().sort_values(ascending=False)
        seeds = group.pivot_table(index=["seed", "subset_seed"], columns="label", values=metric, dropna=False)
        blocks = seeds.dropna()[list(means.index)].to_numpy()
        least = _least_difference(blocks)
        lead = blocks[:, :1] - blocks
        behind = [len(gaps) > 1 and gaps.mean() > least and interval_of(gaps)[0] > 0 for gaps in lead.T]
        near = [label for label, far in zip(means.index, behind, strict=True) if not far]
        best = (means.index[0], float(means.iloc[0]))
        rows.append((int(size), len(means), *best, len(blocks), least, tuple(near[1:])))
    return pd.DataFrame(rows, columns=COLUMNS)


def _least_difference(blocks: np.ndarray) -> float:
    """(R, M), a row a seed and a column a model -> Tukey's honestly significant difference of two means."""
    seeds, models = blocks.shape
    if seeds < 2 or models < 2:
        return np.nan
    rest = blocks - blocks.mean(axis=0) - blocks.mean(axis=1, keepdims=True) + blocks.mean()
    freedom = (seeds - 1) * (models - 1)
    if np.allclose(rest, 0.0, atol=1e-12):
        return np.nan  # no spread was seen, which is not to say that there is none
    return _range_quantile(models, freedom) * float(np.sqrt((rest**2).sum() / freedom / seeds))


@lru_cache(maxsize=256)
def _range_quantile(models: int, freedom: int) -> float:
    return float(stats.studentized_range.ppf(CONFIDENCE, models, freedom))
