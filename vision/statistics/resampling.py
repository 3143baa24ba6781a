"""The wild bootstrap over seeds: chance deviations of several means that share seeds.

>>> wild_bootstrap(np.array([[0.1, 0.2], [0.3, 0.1]]), 1000, np.random.default_rng(0)).shape
(1000, 2)
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vision.statistics.distributions import chi_square_of_equal_rank


def wild_bootstrap(values: np.ndarray, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Return chance deviations of the column means: values (seeds, J) -> (draws, J).

    A wild bootstrap over seeds, after Cameron, Gelbach and Miller (2008). Each draw multiplies the residuals
    of a seed by one normal number for all columns. What its columns share thus stays shared, such as nested
    subsets and one initialization. A chi-square number per draw makes the deviations Student's t. Columns
    with different numbers of seeds use the same quantile with their own degrees of freedom. Any linear
    function of the means thus gets its t interval over seeds. Resampling whole seeds would be too narrow:
    three seeds have only ten distinct resamples.

    Args:
        values: One row per seed, NaN where a seed has no run.
        draws: Number of draws.
        generator: Source of randomness.

    Raises:
        ValueError: A column has fewer than two seeds.
    """
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    if counts.min() < 2:
        raise ValueError(f"resampling needs two runs or more in each column, got {counts.tolist()}")
    residuals = np.where(known, values - np.nanmean(values, axis=0), 0.0)
    freedom = counts - 1
    drawn = generator.standard_normal((draws, len(values))) @ (residuals / np.sqrt(counts * freedom))
    least = freedom.min()
    of_least = generator.chisquare(least, size=draws)
    squares = {
        own: of_least if own == least else chi_square_of_equal_rank(of_least, least, own)
        for own in set(freedom.tolist())
    }
    return drawn / np.sqrt(np.stack([squares[own] / own for own in freedom.tolist()], axis=1))


def pivot_by_seed(runs: pd.DataFrame, columns: Sequence[str], value: str = "error") -> pd.DataFrame:
    """Return a table with one row per seed and subset and one column per point; NaN for no run.

    Args:
        runs: With columns seed and subset_seed, as `records.runs_of` returns them.
        columns: Columns that make a point, such as train_size.
        value: Column with the values of the table.
    """
    seeds = runs.groupby(["seed", "subset_seed"], dropna=False).ngroup()
    return runs.assign(_run=seeds).pivot(index="_run", columns=list(columns), values=value)
