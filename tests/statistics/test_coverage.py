"""Intervals between sizes far apart cover a curved truth; straight lines cover it in 23 of 100 sweeps."""

import numpy as np
import pytest
from interval_coverage import SIZES, crossing_results, equivalence_results

LEAST, MOST = 0.90, 1.0  # of 95 of 100 in 120 sweeps or more; the docs have the table of 400


@pytest.mark.slow
def test_the_interval_of_a_crossing_contains_the_truth():
    covered = list(crossing_results(np.random.default_rng(0), SIZES["factor 4 to 5"], 5, 0.01, 130))
    assert len(covered) > 90 and LEAST <= np.mean(covered) <= MOST


@pytest.mark.parametrize("case", ["factor 2", "factor 4 to 5"])
@pytest.mark.slow
def test_the_interval_of_data_equivalence_contains_the_truth(case):
    covered = list(equivalence_results(np.random.default_rng(0), SIZES[case], 5, 0.01, 60))
    assert len(covered) > 120 and LEAST <= np.mean(covered) <= MOST


@pytest.mark.slow
def test_noisier_runs_cover_too():
    covered = list(crossing_results(np.random.default_rng(1), SIZES["factor 4 to 5"], 5, 0.02, 100))
    assert len(covered) > 50 and LEAST <= np.mean(covered) <= MOST
