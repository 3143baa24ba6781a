"""How many images an inductive bias is worth: what one model needs to be as good as another is.

>>> data_equivalence(records, "CNN", "ViT")  # doctest: +SKIP
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize

from vision.statistics.intervals import middle
from vision.statistics.records import runs_of
from vision.statistics.resampling import by_seed, redraw_means

DRAWS = 2000
LEVEL = 1e-9  # of log error: a curve that falls by less is flat


def data_equivalence(
    records: pd.DataFrame,
    first: str,
    second: str,
    *,
    metric: str = "test_accuracy",
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """For each training-set size of `second`, how many images `first` needs for the same error.

    Read off the first model's curve, the log of its mean error by straight lines over log size, and never
    beyond it. Where that curve rises, it is levelled by isotonic regression: neighbouring sizes that stand
    the wrong way round take their mean. The interval is of percentiles, both curves' means drawn anew by
    whole seeds (see `redraws.redraw_means`), so that what the two share of a subset is no doubt about them.
    In 400 simulated sweeps each, of 3 and of 5 seeds with noise of three kinds, it covered in 92 to 98 of
    100; where straight lines between the sizes are not the truth, that is not in it.

    Args:
        records: one row a run, with columns label, train_size, seed and `metric` in [0, 1]; see
            `vision.statistics.records.COLUMNS`.
        first, second: two labels.
        metric: an accuracy; the error is what it lacks to 1.
        draws: how many, for the intervals.
        seed: of the draws.

    Returns:
        Columns train_size, images (missing unless inside), low, high, worth (train_size / images: above 1
        where first needs fewer) and state: "inside"; "fewer than N" and "more than N", where N is the first
        model's smallest and largest size; or "flat", where more images do not help the first model at all. An
        end of 0 or infinity is one that the curve does not bound. low and high are missing where a size has
        one run.

    Raises:
        ValueError: a column or a label is not there, first is second, or the first model has one size only.
    """
    if first == second:
        raise ValueError(f"two models can be compared, got {first!r} twice")
    errors: Any = by_seed(runs_of(records, (first, second), metric), ["label", "train_size"])
    sizes = [np.array([n for label, n in errors.columns if label == name]) for name in (first, second)]
    if len(sizes[0]) < 2:
        raise ValueError(f"{first!r} needs two training-set sizes or more, got {sizes[0].tolist()}")
    errors = errors[[(name, n) for name, own in zip((first, second), sizes, strict=True) for n in own]]
    mean = errors.mean().to_numpy()
    logs, split = np.log(sizes[0]), len(sizes[0])
    (found,) = _needed(logs, np.log(mean[None]), split)
    low = high = np.full(len(sizes[1]), np.nan)
    if errors.count().min() > 1:
        chance = redraw_means(errors.to_numpy() / mean, draws, np.random.default_rng(seed))
        ends = middle(_needed(logs, np.log(mean) + chance, split), method="inverted_cdf")
        # An end beyond the curve says no more than that it is beyond.
        low = np.where(np.isposinf(ends[0]), sizes[0][-1], np.exp(ends[0]))
        high = np.where(np.isneginf(ends[1]), sizes[0][0], np.exp(ends[1]))
    if np.ptp(_levelled(np.log(mean[None, :split]))) < LEVEL:  # it says nothing about images
        found, low, high = found * np.nan, np.zeros(len(found)), np.full(len(found), np.inf)
    images = np.where(np.isfinite(found), np.exp(found), np.nan)
    words = {-np.inf: f"fewer than {sizes[0][0]:,}", np.inf: f"more than {sizes[0][-1]:,}"}
    return pd.DataFrame(
        {
            "train_size": sizes[1],
            "images": images,
            "low": low,
            "high": high,
            "worth": sizes[1] / images,
            "state": ["flat" if np.isnan(place) else words.get(place, "inside") for place in found],
        }
    )


def _needed(logs: np.ndarray, drawn: np.ndarray, split: int) -> np.ndarray:
    """Log sizes (J), log errors of both (D, J + K) -> (D, K) log sizes where first has second's error.

    Infinite where it is beyond the curve, below it (negative) or above.
    """
    curves, wanted = _levelled(drawn[:, :split]), drawn[:, split:]
    return np.array(
        [
            np.interp(errors, curve[::-1], logs[::-1], left=np.inf, right=-np.inf)
            for errors, curve in zip(wanted, curves, strict=True)
        ]
    )


def _levelled(curves: np.ndarray) -> np.ndarray:
    """(D, J) -> (D, J): the nearest curves that nowhere rise, by isotonic regression."""
    return np.stack([optimize.isotonic_regression(curve, increasing=False).x for curve in curves])
