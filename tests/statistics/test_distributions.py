"""The distributions give what scipy.stats gives, which takes longer to import."""

import numpy as np
import pytest
from scipy import optimize, stats

from vision.statistics import distributions

VALUES = np.random.default_rng(0).normal(0.3, 1.0, 7)


@pytest.mark.parametrize("freedom", [1, 2.7, 9, 250])
def test_quantiles_and_p_values_are_those_of_students_t(freedom):
    for probability in (0.025, 0.5, 0.975, 0.9999):
        quantile = distributions.t_quantile(probability, freedom)
        assert quantile == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-10)
    for t in (-2.5, 0.0, 1.3, 40.0):
        p = distributions.t_p_value(t, freedom)
        assert p == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-9)


def test_the_t_test_is_that_of_one_sample():
    assert distributions.t_test(VALUES) == pytest.approx(stats.ttest_1samp(VALUES, 0.0).pvalue, rel=1e-10)
    assert distributions.standard_error(VALUES) == pytest.approx(stats.sem(VALUES), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("freedom", [1, 1.5, 4, 30, 2000])
@pytest.mark.parametrize("level", [0.05, 0.001])
def test_a_lead_is_found_with_the_power_that_was_asked_for(freedom, level):
    critical = distributions.t_quantile(1 - level / 2, freedom)
    lead = distributions.lead_with_power(0.8, critical, freedom)
    shares = (np.arange(200_000) + 0.5) / 200_000
    bounds = critical * np.sqrt(stats.chi2.ppf(shares, freedom) / freedom)

    def surplus(true: float) -> float:
        return float(np.mean(stats.norm.cdf(true - bounds) + stats.norm.cdf(-true - bounds))) - 0.8

    assert lead == pytest.approx(optimize.brentq(surplus, 0, 10 * critical), rel=1e-4)


def test_chi_square_numbers_keep_their_rank():
    drawn = np.random.default_rng(1).chisquare(2, 50)
    others = distributions.chi_square_of_equal_rank(drawn, 2, 9)
    assert others == pytest.approx(stats.chi2.ppf(stats.chi2.cdf(drawn, 2), 9), rel=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(0, 6), (3, 6), (7, 9), (130, 200)])
def test_the_sign_test_is_the_exact_binomial_test(successes, trials):
    expected = stats.binomtest(successes, trials, 0.5).pvalue
    assert distributions.sign_test(successes, trials) == pytest.approx(expected, rel=1e-10)
