"""Scaling laws of the error over training-set size, chosen by how well they predict the largest size.

>>> scaling_fit(records, "CNN").parameters  # doctest: +SKIP
{'a': 1.49, 'b': 0.2}
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from vision.statistics.holdout import predict_largest, predicts
from vision.statistics.intervals import percentile_interval
from vision.statistics.laws import LAWS, Law, fit_law, fit_many
from vision.statistics.records import MIN_ERROR, runs_of
from vision.statistics.resampling import pivot_by_seed, wild_bootstrap
from vision.statistics.scaling_law_fit import ScalingFit, logs

DRAWS = 1000
MIN_SIZES = 3
# The simplest law is chosen whose holdout error is within a factor of the best one's, below an absolute
# bound, or within this many standard errors of the mean.
GOOD_FACTOR, GOOD_ERROR, GOOD_STANDARD_ERRORS = 1.1, 1e-3, 2.0


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
            `vision.statistics.columns.COLUMNS`.
        label: Name of the model.
        metric: An accuracy in [0, 1].
        law: Name of a law to use, whatever its holdout error.
        draws: Number of draws for the intervals.
        seed: Seed of the draws.

    Raises:
        ValueError: A column, the label or the law is missing, there are too few sizes, or no run of a size
            makes an error.
    """
    if law is not None and law not in LAWS:
        raise ValueError(f"law must be one of {', '.join(LAWS)}, got {law!r}")
    errors = pivot_by_seed(runs_of(records, (label,), metric), ["train_size"])
    _check_sizes([int(size) for size in errors.columns], label, law)
    _check_errors(errors, label)
    points = _points(errors, draws, seed)
    holdout = _predict_largest(points, law)
    return _fit(label, LAWS[law or _choose(holdout, points)], points, holdout)


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """What a law is fitted to: log sizes (J,), log mean errors (J,), and their chance deviations (D, J).

    Attributes:
        sizes: Training-set sizes.
        x: Their logarithms.
        y: Log mean errors.
        chance: Chance deviations of y; None where a size has one run.
        noise: Standard error at the largest size over the mean there; 0 where a size has one run.
        runs: Smallest number of runs at a size.
    """

    sizes: tuple[int, ...]
    x: np.ndarray
    y: np.ndarray
    chance: np.ndarray | None
    noise: float
    runs: int


@dataclass(frozen=True, slots=True)
class _Holdout:
    """Relative error at the largest size and its p value, for each law with enough sizes."""

    error: dict[str, float]
    p: dict[str, float]


def _check_sizes(sizes: list[int], label: str, law: str | None) -> None:
    least = max(MIN_SIZES, len(LAWS[law].parameters) if law else 0)
    if len(sizes) < least:
        raise ValueError(
            f"a fit needs {least} training-set sizes or more, got {len(sizes)} of {label!r}: {sizes}"
        )


def _check_errors(errors: pd.DataFrame, label: str) -> None:
    """Refuse sizes without any error, whose logarithm is that of MIN_ERROR and fits no law."""
    if perfect := [int(size) for size in errors.columns[errors.max() <= MIN_ERROR]]:
        at = ", ".join(f"{size:,}" for size in perfect)
        raise ValueError(f"a law needs errors, but no run of {label!r} makes one at {at} images")


def _points(errors: pd.DataFrame, draws: int, seed: int) -> _Points:
    """Return the points of errors with one row per seed and one column per size."""
    sizes = tuple(int(size) for size in errors.columns)
    mean, runs = errors.mean().to_numpy(dtype=float), int(errors.count().min())
    if runs == 1:
        return _Points(sizes, logs(sizes), np.log(mean), None, 0.0, runs)
    chance = wild_bootstrap(errors.to_numpy() / mean, draws, np.random.default_rng(seed))
    largest = errors.iloc[:, -1].astype(float)
    noise = float(cast("float", largest.sem())) / float(largest.mean())
    return _Points(sizes, logs(sizes), np.log(mean), chance, noise, runs)


def _predict_largest(points: _Points, law: str | None) -> _Holdout:
    """Predict the largest size by all laws; only a law that may be chosen needs a p value."""
    holdout = _Holdout({}, {})
    for one in LAWS.values():
        if len(one.parameters) < len(points.x):
            chance = points.chance if law in (None, one.name) else None
            holdout.error[one.name], holdout.p[one.name] = predict_largest(one, points.x, points.y, chance)
    return holdout


def _choose(holdout: _Holdout, points: _Points) -> str:
    """Return the simplest good law of those that predict the largest size, or of all if none does."""
    good = {name: error for name, error in holdout.error.items() if predicts(error, holdout.p[name])}
    return _simplest_good(good or holdout.error, points.noise)


def _simplest_good(errors: dict[str, float], noise: float) -> str:
    """Return the first law, by number of parameters, whose holdout error is close to the best."""
    nearest = min(errors.values(), default=0.0)
    good = max(GOOD_ERROR, GOOD_FACTOR * nearest, nearest + GOOD_STANDARD_ERRORS * noise)
    return next(name for name, error in errors.items() if error <= good)


def _fit(label: str, law: Law, points: _Points, holdout: _Holdout) -> ScalingFit:
    """Fit a law to all sizes, with intervals where there are draws."""
    values, drawn = fit_law(law, points.x, points.y), None
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    if points.chance is not None:
        drawn = fit_many(law, points.x, points.y + points.chance, values)
        low, high = _intervals(law, points.x, drawn)
    return ScalingFit(
        label=label,
        law=law.name,
        parameters={name: float(value) for name, value in law.plain(values).items()},
        low=low,
        high=high,
        holdout_error=holdout.error,
        sizes=points.sizes,
        runs=points.runs,
        holdout_p=holdout.p,
        _values=values,
        _drawn=drawn,
    )


def _intervals(law: Law, x: np.ndarray, drawn: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """Return lower and upper ends by name from draws (D, P); infinite where the law's bounds are reached."""
    (low, high), (least, most) = percentile_interval(drawn), law.bounds(x)
    ends = np.where(low <= least, -np.inf, low), np.where(high >= most, np.inf, high)
    lows, highs = ({name: float(value) for name, value in law.plain(end).items()} for end in ends)
    return lows, highs
