"""Scaling laws of the error over training-set size, chosen by how well they predict the largest size.

>>> scaling_fit(records, "CNN").parameters  # doctest: +SKIP
{'a': 1.49, 'b': 0.2}
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pandas as pd

from vision.statistics.holdout import predict_largest, predicts
from vision.statistics.intervals import percentile_interval
from vision.statistics.laws import LAWS, Law, fit_law, fit_many
from vision.statistics.records import runs_of
from vision.statistics.resampling import pivot_by_seed, wild_bootstrap

DRAWS = 1000
MIN_SIZES = 3
# The simplest law is chosen whose holdout error is within a factor of the best one's, below an absolute
# bound, or within this many standard errors of the mean.
GOOD_FACTOR, GOOD_ERROR, GOOD_STANDARD_ERRORS = 1.1, 1e-3, 2.0


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """A law fitted to the mean error at each size.

    Attributes:
        label: Name of the model.
        law: power, floor or broken; see `vision.statistics.laws.LAWS`.
        parameters: Values by name.
        low: Lower ends of their 95% intervals, empty where a size has one run. 0 or -inf where the sizes do
            not bound it.
        high: Upper ends of these intervals; inf where the sizes do not bound it.
        holdout_error: Relative error at the largest size when it is predicted from the others, for each law
            with enough sizes.
        sizes: Training-set sizes.
        runs: Smallest number of runs at a size.
        holdout_p: p value of each of these predictions: whether it misses by more than chance. NaN where a
            size has one run, and of other laws than one that was asked for.
    """

    label: str
    law: str
    parameters: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    holdout_error: dict[str, float]
    sizes: tuple[int, ...]
    runs: int
    holdout_p: dict[str, float]
    _values: np.ndarray = field(repr=False, compare=False)
    _drawn: np.ndarray | None = field(repr=False, compare=False)

    def __str__(self) -> str:
        """Return the model, its formula, and the parameters with their intervals."""
        return f"{self.label}: error {LAWS[self.law].formula}, {self.values_text}"

    @property
    def fits(self) -> bool:
        """Whether the law predicts the largest size up to chance; also if too few sizes can test that."""
        return self.law not in self.holdout_error or predicts(
            self.holdout_error[self.law], self.holdout_p[self.law]
        )

    @property
    def values_text(self) -> str:
        """The parameters with their intervals, such as "a = 0.9 (0.8 to 1)"."""
        return ", ".join(
            f"{name} = {value:.3g}"
            + (f" ({self.low[name]:.3g} to {self.high[name]:.3g})" if self.low else "")
            for name, value in self.parameters.items()
        )

    def predict(self, sizes: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the error in [0, 1] at training-set sizes: (N,) -> (N,)."""
        return np.exp(LAWS[self.law].log_error(_logs(sizes), self._values))

    def band(self, sizes: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the 95% interval of the error under this law: (N,) -> two of (N,).

        NaN where a size has one run. Outside the sizes of the fit it relies on the law.
        """
        if self._drawn is None:
            nothing = np.full(len(_logs(sizes)), np.nan)
            return nothing, nothing
        low, high = np.exp(percentile_interval(LAWS[self.law].log_error(_logs(sizes), self._drawn.T)))
        return low, high


def scaling_fit(
    records: pd.DataFrame,
    label: str,
    *,
    metric: str = "test_accuracy",
    law: str | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> ScalingFit:
    """Fit laws of the error 1 - metric over training-set size, and return the one that predicts best.

    Each law is fitted to the log mean errors of all sizes but the largest and judged by its error there, as
    Alabdulmohsin et al. (2022) judge extrapolation. The simplest law close to the best is then fitted to
    all sizes. A law needs more sizes than parameters to be judged. Its holdout error is slightly optimistic,
    because the best of up to three is chosen.

    A law that misses the largest size by more than chance is chosen only if all laws do. Then no law fits,
    and `fits` is False.

    Intervals are percentiles of fits to means under `resampling.wild_bootstrap`. They assume that the law
    is true. docs/statistics.md has their measured coverage.

    Args:
        records: One row per run, with columns label, train_size, seed and the metric; see
            `vision.statistics.records.COLUMNS`.
        label: Name of the model.
        metric: An accuracy in [0, 1].
        law: Name of a law to use, whatever its holdout error.
        draws: Number of draws for the intervals.
        seed: Seed of the draws.

    Raises:
        ValueError: A column, the label or the law is missing, or there are too few sizes.
    """
    if law is not None and law not in LAWS:
        raise ValueError(f"law must be one of {', '.join(LAWS)}, got {law!r}")
    errors = pivot_by_seed(runs_of(records, (label,), metric), ["train_size"])
    least = max(MIN_SIZES, len(LAWS[law].parameters) if law else 0)
    sizes = tuple(int(size) for size in errors.columns)
    if len(sizes) < least:
        raise ValueError(
            f"a fit needs {least} training-set sizes or more, got {len(sizes)} of {label!r}: {list(sizes)}"
        )
    x, mean, runs = _logs(sizes), errors.mean().to_numpy(dtype=float), int(errors.count().min())
    chance = None
    if runs > 1:
        chance = wild_bootstrap(errors.to_numpy() / mean, draws, np.random.default_rng(seed))
    holdout: dict[str, float] = {}
    p: dict[str, float] = {}
    for one in LAWS.values():
        if len(one.parameters) < len(x):
            holdout[one.name], p[one.name] = predict_largest(
                one, x, np.log(mean), chance if law in (None, one.name) else None
            )
    good = {name: error for name, error in holdout.items() if predicts(error, p[name])}
    best = LAWS[law or _simplest_good(good or holdout, errors.iloc[:, -1].astype(float), runs)]
    values, drawn = fit_law(best, x, np.log(mean)), None
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    if chance is not None:
        drawn = fit_many(best, x, np.log(mean) + chance, values)
        low, high = _intervals(best, x, drawn)
    return ScalingFit(
        label=label,
        law=best.name,
        parameters={name: float(value) for name, value in best.plain(values).items()},
        low=low,
        high=high,
        holdout_error=holdout,
        sizes=sizes,
        runs=runs,
        holdout_p=p,
        _values=values,
        _drawn=drawn,
    )


def _simplest_good(holdout: dict[str, float], largest: "pd.Series[float]", runs: int) -> str:
    """Return the first law, by number of parameters, whose holdout error is close to the best."""
    nearest = min(holdout.values(), default=0.0)
    noise = (
        GOOD_STANDARD_ERRORS * float(cast("float", largest.sem())) / float(largest.mean())
        if runs > 1
        else 0.0
    )
    good = max(GOOD_ERROR, GOOD_FACTOR * nearest, nearest + noise)
    return next(name for name, error in holdout.items() if error <= good)


def _intervals(law: Law, x: np.ndarray, drawn: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """Return lower and upper ends by name from draws (D, P); infinite where the law's bounds are reached."""
    (low, high), (least, most) = percentile_interval(drawn), law.bounds(x)
    ends = np.where(low <= least, -np.inf, low), np.where(high >= most, np.inf, high)
    lows, highs = ({name: float(value) for name, value in law.plain(end).items()} for end in ends)
    return lows, highs


def _logs(sizes: Sequence[float] | np.ndarray) -> np.ndarray:
    return np.log(np.atleast_1d(np.asarray(sizes, dtype=float)))
