"""Where the difference in accuracy and the ratio of errors disagree about where the lead goes.

>>> opposite_trends(samples.first, samples.second, first_leads=True)  # doctest: +SKIP
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vision.statistics.intervals import percentile_interval
from vision.statistics.records import MIN_ERROR
from vision.statistics.resampling import wild_bootstrap

DRAWS = 2000


@dataclass(frozen=True, slots=True)
class OppositeTrends:
    """The leader's gap in accuracy and its ratio of errors, which move in opposite directions.

    Attributes:
        sizes: Smallest and largest training-set size.
        gap: Mean gap in accuracy at both.
        error_ratio: Ratio of the other's error to the leader's at both, as a geometric mean.
        gap_grows: The gap grows and the ratio shrinks; else the reverse.
    """

    sizes: tuple[int, int]
    gap: tuple[float, float]
    error_ratio: tuple[float, float]
    gap_grows: bool


def opposite_trends(
    first: pd.DataFrame, second: pd.DataFrame, *, first_leads: bool, seed: int = 0
) -> OppositeTrends | None:
    """Return the trends of gap and error ratio if both are significant and opposite, else None.

    A trend is a slope over log size, significant where its 95% interval over seeds excludes 0. If the two
    are opposite, one extrapolation predicts a crossing and the other does not.

    Args:
        first: Accuracies of the first model: one row per seed, one column per size, two or more seeds each.
        second: The same of the second model, with the same seeds and subsets.
        first_leads: Whether the first model is the better one.
        seed: Seed of the draws.
    """
    sign = 1 if first_leads else -1
    gaps = (first - second) * sign
    one, other = ((1 - table).clip(lower=MIN_ERROR).map(math.log) for table in (first, second))
    ratios = (other - one) * sign
    if gaps.shape[1] < 2:
        return None
    trends = [_trend(table, seed) for table in (gaps, ratios)]
    if trends[0] * trends[1] >= 0:
        return None
    sizes, gap, ratio = gaps.columns.tolist(), gaps.mean().to_numpy(), np.exp(ratios.mean().to_numpy())
    return OppositeTrends(
        sizes=(int(sizes[0]), int(sizes[-1])),
        gap=(float(gap[0]), float(gap[-1])),
        error_ratio=(float(ratio[0]), float(ratio[-1])),
        gap_grows=trends[0] > 0,
    )


def _trend(values: pd.DataFrame, seed: int) -> int:
    """Return the sign of the slope over log size, or 0 where it is not significant."""
    logs = np.log(values.columns.to_numpy(dtype=float))
    weights = (logs - logs.mean()) / ((logs - logs.mean()) ** 2).sum()
    drawn = wild_bootstrap(values.to_numpy(), DRAWS, np.random.default_rng(seed)) @ weights
    slope = float(values.mean().to_numpy() @ weights)
    low, high = slope + percentile_interval(drawn)
    # Without noise, a constant distance still varies by rounding.
    return int(np.sign(slope)) if low * high > 0 and abs(slope) > 1e-9 else 0
