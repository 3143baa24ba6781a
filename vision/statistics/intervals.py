"""Centres of several runs and their 95% intervals: Student's t, and the BCa bootstrap.

>>> low, high = interval_of([0.5, 0.6, 0.8], centre="mean", kind="t")
>>> round(low, 2), round(high, 2)
(0.25, 1.01)
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
KINDS = ("t", "bca")
DRAWS = 2000
FEWEST_DISTINCT = 3


def iqm(values: Any, axis: int = -1) -> Any:
    """Interquartile mean (Agarwal et al., 2021): scipy's mean without a quarter of the values at either end.

    Whole values are left out, as in the authors' rliable: int(n / 4) at each end, none of fewer than four.
    """
    return stats.trim_mean(values, 0.25, axis=axis)


CENTRES: dict[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median, "iqm": iqm}


def check_interval(centre: str, kind: str) -> None:
    """Refuse a centre or a kind of interval that there is not, and t of anything but the mean.

    Raises:
        ValueError: with what there is.
    """
    if centre not in CENTRES:
        raise ValueError(f"centre must be one of {', '.join(CENTRES)}, got {centre!r}")
    if kind not in KINDS:
        raise ValueError(f"interval must be one of {', '.join(KINDS)}, got {kind!r}")
    if kind == "t" and centre != "mean":
        raise ValueError(f"interval 't' is of the mean; for centre {centre!r} take interval 'bca'")


def interval_of(
    values: Sequence[float] | np.ndarray,
    *,
    centre: str = "mean",
    kind: str = "t",
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, float]:
    """(n) independent runs -> low and high, the 95% interval of a centre.

    BCa is Efron's (1987) bootstrap, scipy's. It sees no more spread than a few runs show: in 1500 simulated
    sets of normal runs it covered the mean, the median and the IQM in 75, 75 and 73 of 100 with n = 3; 85, 94
    and 89 with 5; 89, 93 and 93 with 10; 93, 95 and 94 with 20; 93, 94 and 94 with 30. With few runs take t.

    Args:
        values: one number a run.
        centre: mean, median or iqm.
        kind: t (of the mean only) or bca.
        draws: of the bootstrap.
        seed: of the draws.

    Returns:
        Missing (NaN) with one run, for BCa also with fewer than three distinct values or where it is not
        defined (a median that no single run moves). Of runs that are all equal both ends are their value, by
        either kind, as Student's formula has it: no spread was seen, which is not to say that there is none.

    Raises:
        ValueError: no such centre or kind, or t of another centre than the mean.
    """
    check_interval(centre, kind)
    values = np.asarray(values, dtype=float)
    if len(values) > 1 and np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    if kind == "t":
        return _students(values)
    if len(np.unique(values)) < FEWEST_DISTINCT:
        return np.nan, np.nan
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # degenerate: its ends are NaN
        bootstrap: Any = stats.bootstrap  # its stubs know `rng` only, scipy before 1.15 `random_state` only
        found = bootstrap(
            (values,),
            CENTRES[centre],
            n_resamples=draws,
            confidence_level=CONFIDENCE,
            method="BCa",
            vectorized=True,
            random_state=np.random.default_rng(seed),
        ).confidence_interval
    return float(found.low), float(found.high)


def middle(drawn: Any, *, method: Any = "linear") -> np.ndarray:
    """(D, ...) draws -> (2, ...): the ends of their middle 95%, by percentiles."""
    tail = 100 * (1 - CONFIDENCE) / 2
    return np.percentile(drawn, [tail, 100 - tail], axis=0, method=method)


def _students(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2:
        return np.nan, np.nan
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)
