"""How many training images one model's advantage is worth.

>>> data_equivalence(records, "CNN", "ViT")  # doctest: +SKIP
"""

from typing import Literal, cast

import numpy as np
import pandas as pd
from scipy import optimize

from vision.statistics.intervals import percentile_interval
from vision.statistics.records import runs_of
from vision.statistics.resampling import pivot_by_seed, wild_bootstrap

DRAWS = 2000
FLAT = 1e-9  # fall in log error up to which a curve is flat
State = Literal["inside", "below", "above", "flat"]


def data_equivalence(
    records: pd.DataFrame,
    first: str,
    second: str,
    *,
    metric: str = "test_accuracy",
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how many images `first` needs for the error that `second` has at each of its sizes.

    The first model's log mean error is interpolated linearly over log size and never extrapolated. Where the
    curve rises, isotonic regression makes it flat. The intervals are percentiles of both curves under
    `resampling.wild_bootstrap`, so what the models share of a subset cancels. The error of the linear
    interpolation is not in the intervals. docs/statistics.md has their measured coverage.

    Args:
        records: One row per run, with columns label, train_size, seed and the metric; see
            `vision.statistics.records.COLUMNS`.
        first: Label of the model whose need of images is computed.
        second: Label of the model whose errors are to be reached.
        metric: An accuracy in [0, 1]; the error is 1 - metric.
        draws: Number of draws for the intervals.
        seed: Seed of the draws.

    Returns:
        Columns train_size, images (NaN unless inside), low, high, worth and state. worth is
        train_size / images, above 1 where first needs fewer. state is "inside" the first model's sizes,
        "below" or "above" them, or "flat" where more images do not help the first model. An end of 0 or
        infinity is not bounded by the curve. low and high are NaN where a size has one run.

    Raises:
        ValueError: A column or label is missing, first is second, or the first model has only one size.
    """
    if first == second:
        raise ValueError(f"two different models are needed, got {first!r} twice")
    errors = pivot_by_seed(runs_of(records, (first, second), metric), ["label", "train_size"])
    own, other = (np.array([n for label, n in errors.columns if label == name]) for name in (first, second))
    if len(own) < 2:
        raise ValueError(f"{first!r} needs two training-set sizes or more, got {own.tolist()}")
    errors = errors[[(first, n) for n in own] + [(second, n) for n in other]]
    mean = errors.mean().to_numpy(dtype=float)
    logs, split = np.log(own), len(own)
    (needed,) = _needed(logs, np.log(mean[None]), split)
    low: np.ndarray = np.full(len(other), np.nan)
    high = low
    if errors.count().min() > 1:
        chance = wild_bootstrap(errors.to_numpy() / mean, draws, np.random.default_rng(seed))
        ends = percentile_interval(_needed(logs, np.log(mean) + chance, split), method="inverted_cdf")
        # Of an end outside the curve only the side is known.
        low = cast("np.ndarray", np.where(ends[0] == np.inf, own[-1], np.exp(ends[0])))
        high = cast("np.ndarray", np.where(ends[1] == -np.inf, own[0], np.exp(ends[1])))
    if np.ptp(_monotone(np.log(mean[None, :split]))) < FLAT:  # the curve does not distinguish sizes
        needed, low, high = needed * np.nan, np.zeros(len(needed)), np.full(len(needed), np.inf)
    images = np.where(np.isfinite(needed), np.exp(needed), np.nan)
    states = [_state(float(log_size)) for log_size in needed]
    columns = {"train_size": other, "images": images, "low": low, "high": high}
    return pd.DataFrame({**columns, "worth": other / images, "state": states})


def _state(log_size: float) -> State:
    if np.isnan(log_size):
        return "flat"
    return "inside" if np.isfinite(log_size) else ("below" if log_size < 0 else "above")


def _needed(logs: np.ndarray, drawn: np.ndarray, split: int) -> np.ndarray:
    """Return log sizes where first has second's error: log sizes (J,), log errors (D, J + K) -> (D, K).

    -inf below the first model's sizes, +inf above them.
    """
    curves, wanted = _monotone(drawn[:, :split]), drawn[:, split:]
    rows: list[np.ndarray] = [
        np.interp(errors, curve[::-1], logs[::-1], left=np.inf, right=-np.inf)
        for errors, curve in zip(wanted, curves, strict=True)
    ]
    return np.array(rows)


def _monotone(curves: np.ndarray) -> np.ndarray:
    """Return the nearest curves that never rise, by isotonic regression: (D, J) -> (D, J)."""
    return np.stack([np.asarray(optimize.isotonic_regression(c, increasing=False).x) for c in curves])
