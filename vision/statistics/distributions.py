"""Student's t and chi-square, from scipy.special: importing scipy.stats would take longer than most answers.

>>> round(t_quantile(0.975, 4), 3), round(t_test(np.array([0.02, 0.04, 0.03])), 4)
(2.776, 0.0351)
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special


def t_quantile(probability: float, freedom: float) -> float:
    """Return the t below which Student's t falls with this probability."""
    return float(special.stdtrit(freedom, probability))


def t_p_value(t: float, freedom: float) -> float:
    """Return the two-sided p value of a t."""
    return float(2 * special.stdtr(freedom, -abs(t)))


def standard_error(values: NDArray[np.float64]) -> float:
    """Return the standard error of the mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def t_test(values: NDArray[np.float64]) -> float:
    """Return the two-sided p value of the t test of a mean of 0."""
    return t_p_value(float(values.mean()) / standard_error(values), len(values) - 1)


def lead_with_power(power: float, critical: float, freedom: float) -> float:
    """Return the true mean, in true standard errors, whose t is above a critical one with this probability.

    That t has the noncentral t distribution; the chance of a t below minus the critical one is left out.
    """
    return float(special.nctdtrinc(freedom, 1 - power, critical))


def chi_square_of_equal_rank(
    values: NDArray[np.float64], freedom: float, new_freedom: float
) -> NDArray[np.float64]:
    """Return the chi-square numbers of another freedom that have the ranks of those given."""
    ranks = np.asarray(special.chdtr(freedom, values), dtype=np.float64)
    return np.asarray(2 * special.gammaincinv(new_freedom / 2, ranks), dtype=np.float64)


def sign_test(successes: int, trials: int) -> float:
    """Return the exact two-sided p value of so many successes if their probability is a half."""
    return min(1.0, 2 * float(special.bdtr(min(successes, trials - successes), trials, 0.5)))
