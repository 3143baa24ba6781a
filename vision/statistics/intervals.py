"""95% intervals of the mean, the median and the interquartile mean of several runs.

>>> low, high = interval_of([0.5, 0.6, 0.8], centre="mean", kind="t")
>>> round(low, 2), round(high, 2)
(0.25, 1.01)
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from vision.statistics.distributions import standard_error, t_quantile

CONFIDENCE = 0.95
KINDS = ("t", "bca")
DRAWS = 2000
MIN_DISTINCT = 3


class Estimate(NamedTuple):
    """A mean with the ends of its 95% interval, NaN where there is no interval."""

    mean: float
    low: float
    high: float


def iqm(values: Sequence[float] | np.ndarray, axis: int = -1) -> Any:
    """Return the interquartile mean (Agarwal et al., 2021): the mean without a quarter at either end.

    int(n / 4) values are dropped at each end, as in the authors' rliable; none for n below 4.
    """
    ordered = np.sort(np.asarray(values), axis=axis)
    cut = ordered.shape[axis] // 4
    return np.take(ordered, range(cut, ordered.shape[axis] - cut), axis=axis).mean(axis=axis)


CENTRES: dict[str, Callable[..., np.ndarray | float]] = {"mean": np.mean, "median": np.median, "iqm": iqm}


def check_interval(centre: str, kind: str) -> None:
    """Refuse an unknown centre or kind of interval, and a t interval of anything but the mean.

    Raises:
        ValueError: With the choices.
    """
    if centre not in CENTRES:
        raise ValueError(f"centre must be one of {', '.join(CENTRES)}, got {centre!r}")
    if kind not in KINDS:
        raise ValueError(f"interval must be one of {', '.join(KINDS)}, got {kind!r}")
    if kind == "t" and centre != "mean":
        raise ValueError(f"interval 't' is for the mean; use interval 'bca' for centre {centre!r}")


def interval_of(
    values: Sequence[float] | np.ndarray,
    *,
    centre: str = "mean",
    kind: str = "t",
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the ends of the 95% interval of a centre of independent runs.

    The BCa bootstrap (Efron, 1987) is too narrow for few runs; use t there. docs/statistics.md has the
    measured coverage.

    Args:
        values: One number per run, shape (n,).
        centre: mean, median or iqm.
        kind: t (mean only) or bca.
        draws: Number of bootstrap samples.
        seed: Seed of the bootstrap.

    Returns:
        Low and high. NaN for one run. For BCa also NaN for fewer than three distinct values, or where BCa is
        undefined. Both are the common value where all runs are equal; zero observed variance is not
        evidence that there is none.

    Raises:
        ValueError: Unknown centre or kind, or a t interval of another centre than the mean.
    """
    check_interval(centre, kind)
    values = np.asarray(values, dtype=float)
    if len(values) > 1 and np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    if kind == "t":
        return _student_interval(values)
    if len(np.unique(values)) < MIN_DISTINCT:
        return np.nan, np.nan
    from scipy import stats

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of degenerate samples, whose ends are NaN
        # scipy before 1.15 calls `rng` random_state; the stubs know `rng` only
        bootstrap: Any = stats.bootstrap
        interval = bootstrap(
            (values,),
            CENTRES[centre],
            n_resamples=draws,
            confidence_level=CONFIDENCE,
            method="BCa",
            vectorized=True,
            random_state=np.random.default_rng(seed),
        ).confidence_interval
    return float(interval.low), float(interval.high)


def percentile_interval(
    drawn: np.ndarray, *, method: Literal["linear", "inverted_cdf"] = "linear"
) -> np.ndarray:
    """Return the ends of the middle 95% of draws: (D, ...) -> (2, ...)."""
    tail = 100 * (1 - CONFIDENCE) / 2
    return np.asarray(np.percentile(drawn, [tail, 100 - tail], axis=0, method=method))


def _student_interval(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2:
        return np.nan, np.nan
    half = t_quantile((1 + CONFIDENCE) / 2, len(values) - 1) * standard_error(values)
    return float(values.mean() - half), float(values.mean() + half)
