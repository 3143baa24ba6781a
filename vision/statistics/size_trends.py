"""How a score of a model changes with the training-set size, over its seeds.

>>> sizes, seeds = [100, 200, 400] * 2, [0] * 3 + [1] * 3
>>> runs = pd.DataFrame({"label": "ViT", "train_size": sizes, "seed": seeds})
>>> [trend] = size_trends(runs.assign(share=[0.8, 0.7, 0.6, 0.9, 0.8, 0.7]), metric="share")
>>> round(trend.slope.mean, 3), trend.seeds
(-0.1, 2)
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vision.statistics.intervals import Estimate, interval_of
from vision.statistics.leads import mean_lead

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class SizeTrend:
    """A straight line through a score against the logarithm of the training-set size.

    Attributes:
        label: The model.
        sizes: Training-set sizes.
        first: The score at the smallest size.
        last: The score at the largest size.
        slope: Its change when the number of images doubles.
        detectable: Smallest true slope that is found significant with a probability of 80%; NaN if all seeds
            have the same.
        seeds: Number of seeds, each of which has a run at every size.
    """

    label: str
    sizes: tuple[int, ...]
    first: Estimate
    last: Estimate
    slope: Estimate
    detectable: float
    seeds: int

    @property
    def is_significant(self) -> bool:
        """Whether the interval of the slope excludes 0."""
        return self.slope.low * self.slope.high > 0


def size_trends(records: pd.DataFrame, *, metric: str) -> list[SizeTrend]:
    """Return the trend of each model that has two sizes and two seeds, in the order of the records.

    A line is fitted to each seed by least squares. Seeds draw their own images, so their slopes are
    independent, and the interval is the 95% t interval of their mean. Each seed needs a run at every size.
    Sizes with few seeds, and seeds without the other sizes, are left out such that most runs stay.

    Args:
        records: One row per run, with columns label, train_size, seed and the metric; subset_seed also
            tells seeds apart, if present.
        metric: Column of the score.
    """
    trends = [_trend(str(label), runs, metric) for label, runs in records.groupby("label", sort=False)]
    return [trend for trend in trends if trend is not None]


def _trend(label: str, runs: pd.DataFrame, metric: str) -> SizeTrend | None:
    keys = [name for name in ("seed", "subset_seed") if name in runs]
    runs = runs.assign(**{name: runs[name].map(str) for name in keys})  # an unknown subset is one, too
    scores = _complete(runs.pivot_table(index=keys, columns="train_size", values=metric))
    if min(scores.shape) < 2:
        return None
    sizes, values = scores.columns.to_numpy(dtype=float), scores.to_numpy(dtype=float)
    doublings = np.log2(sizes) - np.log2(sizes).mean()
    slopes = values @ doublings / (doublings @ doublings)
    slopes[np.abs(slopes) < ROUNDING] = 0.0  # of a score that does not change
    return SizeTrend(
        label=label,
        sizes=tuple(int(size) for size in sizes),
        first=_estimate(values[:, 0]),
        last=_estimate(values[:, -1]),
        slope=_estimate(slopes),
        detectable=mean_lead(slopes[:, None]).detectable(),
        seeds=len(values),
    )


def _complete(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the seeds that have a score at each of the sizes with at least some number of seeds."""
    counts = scores.count()
    choices = [scores.loc[:, counts >= least].dropna() for least in sorted(set(counts[counts > 1].tolist()))]
    enough = [choice for choice in choices if min(choice.shape) > 1]
    return max(enough, key=lambda choice: choice.size, default=scores.iloc[:0])


def _estimate(values: np.ndarray) -> Estimate:
    return Estimate(float(values.mean()), *interval_of(values))
