"""The best model at each training-set size, and those that are not significantly behind it.

>>> ranking(records)  # doctest: +SKIP
"""

from functools import lru_cache
from typing import Any, cast

import numpy as np
import pandas as pd

from vision.statistics.distributions import t_test
from vision.statistics.intervals import CONFIDENCE
from vision.statistics.leads import LEVEL, holm
from vision.statistics.pairs import same_images
from vision.statistics.records import runs_of
from vision.statistics.resampling import pivot_by_seed

RANKING_COLUMNS = ["train_size", "models", "best", "mean", "n", "hsd", "not_significantly_behind"]


def ranking(records: pd.DataFrame, *, metric: str = "test_accuracy") -> pd.DataFrame:
    """Return the model with the best mean at each training-set size, and those not significantly behind.

    A model is significantly behind only if two tests at level 0.05 agree. They are Tukey's honestly
    significant difference with seeds as blocks, and the paired t test against the best. Tukey's test accounts
    for the choice of the best; the t test for models that differ in variance. The sizes of a model are tested
    together, by Holm's procedure, as `compare_models` does. Each size is tested on the seeds that all its
    models have. With fewer than two such seeds, or with other images, nothing is tested.

    Args:
        records: One row per run; see `vision.statistics.records`.
        metric: An accuracy in [0, 1].

    Returns:
        Columns train_size, models (number with runs), best (label), mean (of the best), n (common seeds
        with the same images), hsd and not_significantly_behind (labels, best first). hsd is Tukey's
        difference of this size alone, NaN if not tested.

    Raises:
        ValueError: A column is missing, or the runs are of several data sets.
    """
    runs = runs_of(records, list(dict.fromkeys(records["label"])), metric)
    rows: list[tuple[int, int, str, float, int, float]] = []
    behind: dict[int, dict[str, float]] = {}
    for size, group in runs.groupby("train_size"):
        means = group.groupby("label")[metric].mean().sort_values(ascending=False)
        labels = [str(label) for label in means.index]
        seeds = pivot_by_seed(group, ["label"], metric)
        blocks = seeds.dropna()[list(means.index)].to_numpy()
        if not same_images(group):
            blocks = blocks[:0]
        row = (int(cast("float", size)), len(labels), labels[0], float(means.iloc[0]))
        rows.append((*row, len(blocks), _tukey_hsd(blocks)))
        behind[row[0]] = dict(zip(labels, _p_behind(blocks), strict=True))
    adjusted = _adjust_over_sizes(behind)
    near = [
        tuple(label for label in behind[size] if label != best and adjusted[size, label] >= LEVEL)
        for size, _, best, *_ in rows
    ]
    return pd.DataFrame(
        [(*row, labels) for row, labels in zip(rows, near, strict=True)], columns=RANKING_COLUMNS
    )


def _adjust_over_sizes(p: dict[int, dict[str, float]]) -> dict[tuple[int, str], float]:
    """Return the p values by size and model, adjusted by Holm for the sizes of each model."""
    adjusted: dict[tuple[int, str], float] = {}
    for label in dict.fromkeys(name for of_size in p.values() for name in of_size):
        own = {size: of_size[label] for size, of_size in p.items() if label in of_size}
        values = holm(list(own.values())).tolist()
        adjusted |= {(size, label): value for size, value in zip(own, values, strict=True)}
    return adjusted


def _p_behind(blocks: np.ndarray) -> list[float]:
    """Return the larger p value of two tests against the first model: (seeds, models) -> (models)."""
    models = blocks.shape[1]
    error, freedom = _residual_error(blocks)
    values: list[float] = []
    for model in range(models):
        gap = blocks[:, 0] - blocks[:, model]
        if np.isnan(error) or np.ptp(gap) == 0 or gap.mean() <= 0:
            values.append(1.0)
            continue
        p = t_test(gap)
        if p < LEVEL:
            quantile = float(gap.mean()) / error
            p = max(p, float(_studentized_range().sf(quantile, models, freedom)))
        values.append(p)
    return values


def _tukey_hsd(blocks: np.ndarray) -> float:
    """Return Tukey's honestly significant difference of two means: (seeds, models) -> scalar.

    scipy.stats.tukey_hsd has no blocks: it would count what models share at a seed as noise.
    """
    error, freedom = _residual_error(blocks)
    if np.isnan(error):
        return np.nan  # zero observed variance is not evidence
    return _range_quantile(blocks.shape[1], freedom) * error


def _residual_error(blocks: np.ndarray) -> tuple[float, int]:
    """Return the standard error of a mean without what models share at a seed, and its degrees of freedom."""
    seeds, models = blocks.shape
    freedom = (seeds - 1) * (models - 1)
    if seeds < 2 or models < 2:
        return np.nan, freedom
    residuals = blocks - blocks.mean(axis=0) - blocks.mean(axis=1, keepdims=True) + blocks.mean()
    if np.allclose(residuals, 0.0, atol=1e-12):
        return np.nan, freedom
    return float(np.sqrt((residuals**2).sum() / freedom / seeds)), freedom


@lru_cache(maxsize=256)
def _range_quantile(models: int, freedom: int) -> float:
    return float(_studentized_range().ppf(CONFIDENCE, models, freedom))


def _studentized_range() -> Any:
    from scipy import stats  # which takes longer to import than most answers

    return stats.studentized_range
