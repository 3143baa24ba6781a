"""Mean leads: the t tests of scipy where those apply, power as stated, Holm as published."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vision.statistics.leads import LEVEL, holm, mean_lead


def test_with_the_same_seeds_everywhere_it_is_the_t_test_of_their_means():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 4)))
    lead, test = mean_lead(table), stats.ttest_1samp(table.mean(axis=1), 0.0)
    assert (lead.freedom, lead.p) == (pytest.approx(4), pytest.approx(test.pvalue))
    interval = test.confidence_interval(0.95)
    assert lead.estimate[1:] == pytest.approx((interval.low, interval.high))


def test_the_difference_of_independent_means_is_welchs_test():
    generator = np.random.default_rng(1)
    one, other = generator.normal(0.1, 1, 4), generator.normal(0, 5, 9)
    difference = mean_lead(pd.DataFrame({100: one})) - mean_lead(pd.DataFrame({100: other}))
    test = stats.ttest_ind(one, other, equal_var=False)
    assert (difference.p, difference.freedom) == (pytest.approx(test.pvalue), pytest.approx(test.df))


@pytest.mark.parametrize("share", [0.0, 0.7])
@pytest.mark.slow
def test_with_more_seeds_at_some_sizes_five_percent_of_null_sweeps_are_significant(share):
    """Nine seeds at two sizes and three at others; seeds share some of their noise."""
    generator = np.random.default_rng(2)
    counts, found = np.array([9, 9, 3, 3, 3]), []
    for _ in range(4000):
        values = (1 - share) * generator.normal(size=(9, 5)) + share * generator.normal(size=(9, 1))
        values[np.arange(9)[:, None] >= counts] = np.nan
        found.append(mean_lead(pd.DataFrame(values)).p < LEVEL)
    assert 0.03 <= np.mean(found) <= 0.06


@pytest.mark.parametrize(("seeds", "level"), [(3, 0.05), (5, 0.05 / 7), (9, 0.05)])
def test_the_detectable_lead_is_found_with_a_probability_of_80_percent(seeds, level):
    generator = np.random.default_rng(seeds)
    noise = generator.normal(size=(20_000, seeds))
    told = [mean_lead(pd.DataFrame({0: row})).detectable(level) for row in noise[:1000]]
    true = float(np.mean(told))  # the runs know their noise by chance only, on average rightly
    found = stats.ttest_1samp(noise + true, 0.0, axis=1).pvalue < level
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_pairing_makes_smaller_leads_detectable():
    generator = np.random.default_rng(4)
    shared, own = generator.normal(0, 0.05, 5), generator.normal(0, 0.005, (2, 5))
    one, other = (pd.DataFrame({100: shared + noise}) for noise in own)
    assert mean_lead(one - other).detectable() * 5 < (mean_lead(one) - mean_lead(other)).detectable()


def test_equal_leads_and_single_runs_have_no_test():
    equal = mean_lead(pd.DataFrame({100: [0.51 - 0.5, 0.61 - 0.6, 0.11 - 0.1]}))
    assert np.isnan(equal.p) and np.isnan(equal.detectable()) and equal.estimate.low == pytest.approx(0.01)
    single = mean_lead(pd.DataFrame({100: [0.01]}))
    assert single.mean == 0.01 and np.isnan([single.p, single.error, single.detectable()]).all()


def test_holm_as_in_the_textbook_and_what_has_no_test_counts():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01, np.nan, 0.04]) == pytest.approx([0.03, np.nan, 0.08], nan_ok=True)
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
