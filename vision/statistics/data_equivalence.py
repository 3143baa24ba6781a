"""How many training images one model's advantage is worth.

>>> data_equivalence(records, "CNN", "ViT")  # doctest: +SKIP
"""

from typing import Literal, cast

import numpy as np
import pandas as pd

from vision.statistics.interpolation import smooth_paths
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

    The first model's log mean error follows smooth paths between its sizes (`interpolation.smooth_paths`) and
    is never extrapolated. Where a path rises, its smallest error so far counts. The intervals are percentiles
    over paths through draws of both curves under `resampling.wild_bootstrap`. So what the models share of a
    subset cancels, and what the interpolation leaves open is in the intervals. docs/statistics.md has their
    measured coverage.

    Args:
        records: One row per run, with columns label, train_size, seed and the metric; see
            `vision.statistics.columns.COLUMNS`.
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
    own, other = (_sizes(errors, label) for label in (first, second))
    if len(own) < 2:
        raise ValueError(f"{first!r} needs two training-set sizes or more, got {own.tolist()}")
    errors = errors[[(first, n) for n in own] + [(second, n) for n in other]]
    needed = _needed_log_sizes(errors, own, draws, np.random.default_rng(seed))
    if _is_flat(errors, own):  # the curve is too flat to distinguish sizes
        typical = np.full(len(other), np.nan)
        low, high = np.zeros(len(other)), np.full(len(other), np.inf)
    else:
        typical = np.percentile(needed, 50, axis=0, method="inverted_cdf")
        low, high = _interval(needed, own) if _is_repeated(errors) else (typical * np.nan, typical * np.nan)
    images = np.where(np.isfinite(typical), np.exp(typical), np.nan)
    states = [_state(float(log_size)) for log_size in typical]
    columns = {"train_size": other, "images": images, "low": low, "high": high}
    return pd.DataFrame({**columns, "worth": other / images, "state": states})


def _sizes(errors: pd.DataFrame, label: str) -> np.ndarray:
    return np.array([size for name, size in errors.columns if name == label])


def _is_repeated(errors: pd.DataFrame) -> bool:
    return bool(errors.count().min() > 1)


def _is_flat(errors: pd.DataFrame, own: np.ndarray) -> bool:
    curve = np.log(errors.mean().to_numpy(dtype=float)[: len(own)])
    return bool(curve[0] - curve.min() < FLAT)


def _needed_log_sizes(
    errors: pd.DataFrame, own: np.ndarray, draws: int, generator: np.random.Generator
) -> np.ndarray:
    """Return the log sizes that the first model needs in each draw (D, K).

    Args:
        errors: One row per seed; one column for each of the first model's sizes, then of the second's K.
        own: Sizes of the first model.
        draws: Number D of draws.
        generator: Source of randomness.
    """
    mean = errors.mean().to_numpy(dtype=float)
    spread = (errors.sem().to_numpy(dtype=float) / mean)[: len(own)]
    chance = np.zeros((draws, len(mean)))
    if _is_repeated(errors):
        chance = wild_bootstrap(errors.to_numpy() / mean, draws, generator)
    drawn = np.log(mean) + chance
    curve = np.log(mean[: len(own)])
    grid, paths = smooth_paths(np.log(own), curve, np.nan_to_num(spread), drawn[:, : len(own)], generator)
    return _first_reach(grid, paths, drawn[:, len(own) :])


def _interval(needed: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends in images: log sizes (D, K) -> two of (K,).

    Of an end outside the sizes only the side is known.
    """
    low, high = percentile_interval(needed, method="inverted_cdf")
    return (
        cast("np.ndarray", np.where(low == np.inf, own[-1], np.exp(low))),
        cast("np.ndarray", np.where(high == -np.inf, own[0], np.exp(high))),
    )


def _state(log_size: float) -> State:
    if np.isnan(log_size):
        return "flat"
    return "inside" if np.isfinite(log_size) else ("below" if log_size < 0 else "above")


def _first_reach(grid: np.ndarray, paths: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return where paths first reach errors: log sizes (G,), log errors (D, G) and (D, K) -> (D, K).

    -inf below the first log size, +inf above the last.
    """
    fallen, rows = np.minimum.accumulate(paths, axis=1), np.arange(len(paths))
    reached = np.empty(wanted.shape)
    for column, errors in enumerate(wanted.T):
        below = fallen <= errors[:, None]
        after = below.argmax(axis=1).clip(min=1)
        left, right = fallen[rows, after - 1], fallen[rows, after]
        share = ((left - errors) / (left - right).clip(min=1e-300)).clip(0.0, 1.0)
        inside = grid[after - 1] + share * (grid[after] - grid[after - 1])
        reached[:, column] = np.where(below[:, 0], -np.inf, np.where(below[:, -1], inside, np.inf))
    return reached
