"""Compare two models image by image, from the classes they predicted for the test images.

>>> labels = np.array([0, 1, 1, 0])
>>> compare_predictions(np.array([0, 1, 1, 1]), np.array([0, 0, 0, 0]), labels).difference
0.25
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from vision.statistics.distributions import sign_test
from vision.statistics.intervals import percentile_interval


@dataclass(frozen=True, slots=True)
class PredictionComparison:
    """How the predictions of two models differ on the same test images.

    Attributes:
        difference: Mean accuracy of the first minus the second's.
        low: Lower end of its 95% interval.
        high: Upper end of its 95% interval.
        p: McNemar's exact p for each pair of runs, of the hypothesis that each errs alone equally often.
        only_first: Mean number of images that only the first model classifies correctly.
        only_second: The same for the second.
        disagreement: Share of images that the two runs of a pair classify differently.
        seed_disagreement: The same between two runs of the first model, and of the second; NaN with one run.
        runs: Number of pairs of runs, R.
        images: Number of test images, N.
    """

    difference: float
    low: float
    high: float
    p: tuple[float, ...]
    only_first: float
    only_second: float
    disagreement: float
    seed_disagreement: tuple[float, float]
    runs: int
    images: int


def compare_predictions(
    first: np.ndarray,
    second: np.ndarray,
    labels: np.ndarray,
    *,
    subsets: Sequence[Hashable] | np.ndarray | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> PredictionComparison:
    """Compare two models on N test images, in R pairs of runs.

    The interval is a paired bootstrap over images. With one pair it is for these two trained models on
    similar images. With more it also covers new seeds: each draw adds normal noise with the variance of the
    runs. It is scaled to Student's t with Satterthwaite's degrees of freedom, as in studies with several
    readers and cases (Obuchowski and Rockette, 1995). docs/statistics.md has the measured coverage.

    Args:
        first: Predicted classes, (R, N) or (N,). Runs with the same seed and subset are in the same row.
        second: The same for the second model.
        labels: True classes, (N,).
        subsets: Training subset of each pair of runs, (R,). Where several pairs share each of several
            subsets, their mean counts as one run, as in `repetitions.average_seeds`. None: each pair counts.
        draws: Number of bootstrap samples.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: The shapes do not match, or the predictions are not integers.
    """
    one, other, labels = _rows("first", first), _rows("second", second), np.asarray(labels)
    if one.shape != other.shape or one.shape[1:] != labels.shape:
        raise ValueError(
            "predictions (R, N) of both models and labels (N,) must be of the same runs and images, got "
            f"first {np.shape(first)}, second {np.shape(second)}, labels {labels.shape}"
        )
    lead = (one == labels).astype(np.int8) - (other == labels).astype(np.int8)  # (R, N)
    only_first, only_second = ((lead == sign).sum(axis=1) for sign in (1, -1))
    units = lead if subsets is None else _mean_by_subset(lead, subsets)
    low, high = _interval(units, draws, np.random.default_rng(seed))
    return PredictionComparison(
        difference=float(units.mean()),
        low=low,
        high=high,
        p=tuple(_mcnemar(int(a), int(b)) for a, b in zip(only_first, only_second, strict=True)),
        only_first=float(only_first.mean()),
        only_second=float(only_second.mean()),
        disagreement=float((one != other).mean()),
        seed_disagreement=(_disagreement(one), _disagreement(other)),
        runs=len(one),
        images=one.shape[1],
    )


def confusion_matrix(predictions: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Count predictions over all runs, one row per true class: (N,) or (R, N), (N,) -> (K, K).

    Raises:
        ValueError: The shapes do not match, or a class is not in 0 to K - 1.
    """
    truth, given = _flat(predictions, labels, classes)
    # As sklearn.metrics.confusion_matrix, whose import takes a second.
    return np.bincount(truth * classes + given, minlength=classes**2).reshape(classes, classes)


def class_accuracy(predictions: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the share of each class's images that is correct, over all runs: (N,) or (R, N), (N,) -> (K,).

    NaN for a class without images.
    """
    truth, given = _flat(predictions, labels, classes)
    hits, images = (np.bincount(some, minlength=classes) for some in (truth[truth == given], truth))
    return np.divide(hits, images, out=np.full(classes, np.nan), where=images > 0)


def _flat(predictions: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return true and predicted classes of all runs in a row, checked."""
    given, labels = _rows("predictions", predictions).astype(np.int64), np.asarray(labels).astype(np.int64)
    if given.shape[1:] != labels.shape:
        raise ValueError(
            f"predictions and labels must be of the same images, got {given.shape}, {labels.shape}"
        )
    every = np.concatenate((given.ravel(), labels))
    if every.min(initial=0) < 0 or every.max(initial=0) >= classes:
        raise ValueError(
            f"classes must be 0 to {classes - 1} for {classes=}, got {every.min()} to {every.max()}"
        )
    return np.tile(labels, len(given)), given.ravel()


def _rows(name: str, predictions: np.ndarray) -> np.ndarray:
    rows = np.atleast_2d(predictions)
    if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(f"{name} must be integers (R, N) or (N,), got {rows.dtype} {np.shape(predictions)}")
    return rows


def _mean_by_subset(lead: np.ndarray, subsets: Sequence[Hashable] | np.ndarray) -> np.ndarray:
    """Return the means of the runs of each subset: (R, N) -> (S, N). One subset: runs stay as they are."""
    if len(subsets) != len(lead):
        raise ValueError(f"subsets must name one for each of {len(lead)} runs, got {len(subsets)}")
    unique, group_of = np.unique(np.asarray(subsets), return_inverse=True)
    if len(unique) == 1:
        return lead
    return np.stack([lead[group_of == group].mean(axis=0) for group in range(len(unique))])


def _interval(lead: np.ndarray, draws: int, generator: np.random.Generator) -> tuple[float, float]:
    """Return the 95% interval of the mean of leads (R, N) in [-1, 1], over images and runs."""
    # Images with the same mean lead are interchangeable: drawing their counts is drawing images, but faster.
    leads, counts = np.unique(lead.mean(axis=0).round(9), return_counts=True)
    images, mean = lead.shape[1], lead.mean()
    drawn = generator.multinomial(images, counts / images, size=draws) / images  # (draws, leads)
    deviations = drawn @ leads - mean
    if len(lead) > 1:
        variance, freedom = _run_variance(lead)
        deviations += variance**0.5 * generator.standard_normal(draws)
        deviations *= (freedom / generator.chisquare(freedom, size=draws)) ** 0.5 if variance else 1.0
    low, high = mean + percentile_interval(deviations)
    return float(low), float(high)


def _run_variance(lead: np.ndarray) -> tuple[float, float]:
    """Return the variance of the mean that is due to the runs, and the degrees of freedom of the total."""
    runs, images = lead.shape
    by_run, by_image = lead.mean(axis=1), lead.mean(axis=0)
    observed = by_run.var(ddof=1) / runs
    # The interaction of runs and images also makes the runs' means differ; the images' share contains it.
    interaction = ((lead - by_run[:, None] - by_image + lead.mean()) ** 2).sum()
    interaction = interaction / (runs - 1) / max(1, images - 1)
    variance = max(0.0, float(observed - interaction / (runs * images)))
    total = variance + by_image.var() / images
    return variance, float(total**2 * (runs - 1) / observed**2) if variance else np.inf


def _mcnemar(only_first: int, only_second: int) -> float:
    if only_first + only_second == 0:
        return 1.0
    return sign_test(only_first, only_first + only_second)


def _disagreement(runs: np.ndarray) -> float:
    """Return the mean share of images that two of the runs classify differently; NaN for one run."""
    pairs = list(combinations(runs, 2))
    return float(np.mean([(a != b).mean() for a, b in pairs])) if pairs else np.nan
