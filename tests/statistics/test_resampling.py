"""Resampled means: each size has the t-interval of its own seeds."""

import numpy as np
import pytest
from scipy import stats

from vision.statistics.resampling import wild_bootstrap


def test_a_size_with_few_seeds_does_not_widen_the_others():
    values = np.random.default_rng(0).normal(size=(5, 3))
    values[2:, 1] = np.nan
    drawn = wild_bootstrap(values, 400_000, np.random.default_rng(1))
    for place, own in enumerate(values.T):
        seen = own[~np.isnan(own)]
        half = stats.t.ppf(0.975, len(seen) - 1) * stats.sem(seen)
        assert np.quantile(drawn[:, place], [0.025, 0.975]) == pytest.approx([-half, half], rel=0.05)


def test_a_size_with_one_seed_is_never_significant():
    with pytest.raises(ValueError, match=r"needs two runs or more in each column, got \[2, 1\]"):
        wild_bootstrap(np.array([[0.1, 0.2], [0.3, np.nan]]), 10, np.random.default_rng(0))
