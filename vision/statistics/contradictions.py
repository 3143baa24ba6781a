"""Where the difference in accuracy and the ratio of errors disagree about where the lead goes.

>>> opposite_trends(samples.first, samples.second, first_leads=True)  # doctest: +SKIP
"""

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
    sizes = first.columns.to_numpy(dtype=float)
    if len(sizes) < 2:
        return None
    sign = 1 if first_leads else -1
    one, other = (table.to_numpy(dtype=float) for table in (first, second))
    gaps = (one - other) * sign
    ratios = (np.log((1 - other).clip(min=MIN_ERROR)) - np.log((1 - one).clip(min=MIN_ERROR))) * sign
    trends = [_trend(sizes, values, seed) for values in (gaps, ratios)]
    if trends[0] * trends[1] >= 0:
        return None
    gap, ratio = np.nanmean(gaps, axis=0), np.exp(np.nanmean(ratios, axis=0))
    return OppositeTrends(
        sizes=(int(sizes[0]), int(sizes[-1])),
        gap=(float(gap[0]), float(gap[-1])),
        error_ratio=(float(ratio[0]), float(ratio[-1])),
        gap_grows=trends[0] > 0,
    )


def _trend(sizes: np.ndarray, values: np.ndarray, seed: int) -> int:
    """Return the sign of the slope of values (seeds, J) over log size, or 0 where it is not significant."""
    logs = np.log(sizes)
    weights = (logs - logs.mean()) / ((logs - logs.mean()) ** 2).sum()
    drawn = wild_bootstrap(values, DRAWS, np.random.default_rng(seed)) @ weights
    slope = float(np.nanmean(values, axis=0) @ weights)
    low, high = slope + percentile_interval(drawn)
    # Without noise, a constant distance still varies by rounding.
    return int(np.sign(slope)) if low * high > 0 and abs(slope) > 1e-9 else 0
