"""The best model at each training-set size, and those that are not significantly behind it.

>>> ranking(records)  # doctest: +SKIP
"""

from functools import lru_cache
from typing import cast

import numpy as np
import pandas as pd
from scipy import stats

from vision.statistics.intervals import CONFIDENCE, interval_of
from vision.statistics.records import runs_of

RANKING_COLUMNS = ["train_size", "models", "best", "mean", "n", "hsd", "not_significantly_behind"]


def ranking(records: pd.DataFrame, *, metric: str = "test_accuracy") -> pd.DataFrame:
    """Return the model with the best mean at each training-set size, and those not significantly behind.

    A model is significantly behind only if two tests at level 0.05 agree: Tukey's honestly significant
    difference with seeds as blocks, and the paired t test against the best. Tukey's test accounts for the
    choice of the best; the t test for models that differ in variance. Each size is tested separately, on
    the seeds that all its models have. With fewer than two such seeds nothing is tested.

    Args:
        records: One row per run; see `vision.statistics.records`.
        metric: An accuracy in [0, 1].

    Returns:
        Columns train_size, models (number with runs), best (label), mean (of the best), n (common seeds),
        hsd (Tukey's difference, NaN if not tested), not_significantly_behind (labels, best first).

    Raises:
        ValueError: A column is missing, or the runs are of several data sets.
    """
    runs = runs_of(records, list(dict.fromkeys(records["label"])), metric)
    rows: list[tuple[int, int, str, float, int, float, tuple[str, ...]]] = []
    for size, group in runs.groupby("train_size"):
        means = group.groupby("label")[metric].mean().sort_values(ascending=False)
        labels = [str(label) for label in means.index]
        seeds = group.pivot_table(index=["seed", "subset_seed"], columns="label", values=metric, dropna=False)
        blocks = seeds.dropna()[list(means.index)].to_numpy()
        hsd = _tukey_hsd(blocks)
        gaps = (blocks[:, :1] - blocks).T
        behind = [len(gap) > 1 and gap.mean() > hsd and interval_of(gap)[0] > 0 for gap in gaps]
        near = [label for label, far in zip(labels, behind, strict=True) if not far]
        best = (labels[0], float(means.iloc[0]))
        rows.append((int(cast("float", size)), len(labels), *best, len(blocks), hsd, tuple(near[1:])))
    return pd.DataFrame(rows, columns=RANKING_COLUMNS)


def _tukey_hsd(blocks: np.ndarray) -> float:
    """Return Tukey's honestly significant difference of two means: (seeds, models) -> scalar.

    scipy.stats.tukey_hsd has no blocks: it would count what models share at a seed as noise.
    """
    seeds, models = blocks.shape
    if seeds < 2 or models < 2:
        return np.nan
    residuals = blocks - blocks.mean(axis=0) - blocks.mean(axis=1, keepdims=True) + blocks.mean()
    freedom = (seeds - 1) * (models - 1)
    if np.allclose(residuals, 0.0, atol=1e-12):
        return np.nan  # zero observed variance is not evidence
    return _range_quantile(models, freedom) * float(np.sqrt((residuals**2).sum() / freedom / seeds))


@lru_cache(maxsize=256)
def _range_quantile(models: int, freedom: int) -> float:
    return float(stats.studentized_range.ppf(CONFIDENCE, models, freedom))
