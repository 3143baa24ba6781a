"""The mean lead over sizes of runs that share seeds: its interval, its p value, and what could be detected.

>>> seeds = pd.DataFrame({100: [0.02, 0.04, 0.03], 1000: [0.01, 0.02, 0.03]})
>>> lead = mean_lead(seeds)
>>> round(lead.mean, 3), round(lead.p, 3)
(0.025, 0.038)
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from vision.statistics.distributions import lead_with_power, t_p_value, t_quantile
from vision.statistics.intervals import CONFIDENCE, Estimate

LEVEL = 1 - CONFIDENCE
POWER = 0.8
LEAST_ERROR = 1e-12  # a standard error below is rounding: zero observed variance is not evidence


class Lead(NamedTuple):
    """A mean lead in [-1, 1] with its standard error (NaN for one run) and degrees of freedom."""

    mean: float
    error: float
    freedom: float

    @property
    def estimate(self) -> Estimate:
        """The mean with its 95% t interval."""
        half = _critical(LEVEL, self.freedom) * self.error
        return Estimate(self.mean, self.mean - half, self.mean + half)

    @property
    def p(self) -> float:
        """Two-sided p value of the t test against 0; NaN for one run or where all leads are equal."""
        if not self.error > LEAST_ERROR:
            return np.nan
        return t_p_value(self.mean / self.error, self.freedom)

    def detectable(self, level: float = LEVEL) -> float:
        """Return the smallest true lead that a test at this level finds with a probability of 80%.

        The standard error of few runs is on average too small, which is corrected.
        """
        if not self.error > LEAST_ERROR:
            return np.nan
        half = self.freedom / 2
        too_small = np.exp(special.gammaln(half + 0.5) - special.gammaln(half)) / np.sqrt(half)
        lead = lead_with_power(POWER, _critical(level, self.freedom), self.freedom)
        return float(lead * self.error / too_small)

    def __sub__(self, other: "Lead") -> "Lead":
        """Return the difference of independent means, with Welch's degrees of freedom."""
        own, theirs = self.error**2, other.error**2
        total = own + theirs
        parts = own**2 / self.freedom + theirs**2 / other.freedom
        freedom = total**2 / parts if parts > 0 else self.freedom + other.freedom
        return Lead(self.mean - other.mean, float(np.sqrt(total)), float(freedom))


def mean_lead(leads: pd.DataFrame | np.ndarray) -> Lead:
    """Return the mean over sizes of the mean over seeds.

    Runs of a seed are not independent of each other, because subsets are nested. So the residuals of a seed
    are added before they are squared, and the degrees of freedom are those of Bell and McCaffrey (2002). With
    the same n seeds at every size this is the t test of the seeds' means, with n - 1 degrees of freedom.

    Args:
        leads: One row per seed and one column per size; NaN where a seed has no run.
    """
    values = np.asarray(leads, dtype=float)
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    mean = float(np.nanmean(values, axis=0).mean())
    if counts.min() < 2:
        return Lead(mean, np.nan, np.nan)
    share = known / (counts * values.shape[1])  # weight of a run in the mean
    residuals = np.where(known, values - np.nanmean(values, axis=0), 0.0)
    sums = (share * residuals).sum(axis=1)
    # The covariance of the sums if all runs were independent with variance 1.
    expected = np.diag((share**2).sum(axis=1)) - (share / counts) @ share.T
    trace = float(np.trace(expected))
    variance = float((sums**2).sum() * (share**2).sum() / trace)
    return Lead(mean, float(np.sqrt(variance)), trace**2 / float((expected**2).sum()))


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the p values of a family of tests adjusted by Holm (1979): (J,) -> (J,).

    A NaN stays, and counts as a test that finds nothing.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(np.where(np.isnan(values), np.inf, values))
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(np.minimum(factors * values[order], 1.0))
    return adjusted


@lru_cache(maxsize=1024)
def _critical(level: float, freedom: float) -> float:
    return t_quantile(1 - level / 2, freedom)
