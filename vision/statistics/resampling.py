"""Means drawn anew by whole seeds: what chance could have made of several curves at once.

>>> redraw_means(np.array([[0.1, 0.2], [0.3, 0.1]]), 1000, np.random.default_rng(0)).shape
(1000, 2)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats


def redraw_means(values: np.ndarray, draws: int, generator: np.random.Generator) -> np.ndarray:
    """(R, J) values, NaN where a seed lacks a place -> (draws, J) chance deviations of the means of places.

    A wild bootstrap over seeds (after Cameron, Gelbach and Miller, 2008): each draw weighs the deviations of
    a seed from the means by one normal number for all places, so that what the places of a seed share
    (nested subsets, one initialisation) stays shared, and makes them Student's t by one chi-square number,
    or where places have different numbers of seeds by the same quantile for each of its own degrees of
    freedom. What is linear in the means so gets its t-interval over seeds, whatever the places share.
    Resampling seeds themselves, as few as they are, is not enough: three give ten different samples, too near
    each other.

    Raises:
        ValueError: a place has one seed only.
    """
    there = ~np.isnan(values)
    counts = there.sum(axis=0)
    if counts.min() < 2:
        raise ValueError(f"to draw means anew each place needs two runs or more, got {counts.tolist()}")
    residuals = np.where(there, values - np.nanmean(values, axis=0), 0.0)
    freedom = counts - 1
    drawn = generator.standard_normal((draws, len(values))) @ (residuals / np.sqrt(counts * freedom))
    least = freedom.min()
    of_least = generator.chisquare(least, size=draws)
    squares = {
        own: of_least if own == least else stats.chi2.ppf(stats.chi2.cdf(of_least, least), own)
        for own in set(freedom.tolist())
    }
    return drawn / np.sqrt(np.stack([squares[own] / own for own in freedom.tolist()], axis=1))


def by_seed(runs: pd.DataFrame, columns: Sequence[str], value: str = "error") -> pd.DataFrame:
    """Runs -> a table with a row for each seed and subset, a column for each place; NaN for no run.

    Args:
        runs: with columns seed and subset_seed, as `records.runs_of` gives them.
        columns: what makes a place, as train_size.
        value: what stands in the table.
    """
    seeds: Any = runs.groupby(["seed", "subset_seed"], dropna=False).ngroup()
    return runs.assign(_run=seeds).pivot(index="_run", columns=list(columns), values=value)
