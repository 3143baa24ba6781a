"""Paired comparison of two models: runs with the same seed and subset are a pair.

>>> paired_differences(records, "CNN", "ViT")  # doctest: +SKIP
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd

from vision.statistics.columns import RUN_KEYS
from vision.statistics.distributions import t_test
from vision.statistics.intervals import check_interval, interval_of
from vision.statistics.records import runs_of

# Columns in which the runs of a pair must agree where known; what differs else, and by which settings.
SAME_IN_PAIR = {
    "subset_sha256": ("trained on different subsets", "data and data.subset_seed"),
    "n_train": ("trained on different images", "data.val_fraction and data.val_from"),
    "n_test": ("tested on different images", "data and data.test_size"),
}
NUMBERS = ("n_train", "n_test")
PAIR_COLUMNS = [*RUN_KEYS, "first", "second", "difference", "log_ratio"]


def paired_runs(
    records: pd.DataFrame, first: str, second: str, *, metric: str = "test_accuracy"
) -> pd.DataFrame:
    """Return one row per training-set size, seed and subset that both models have.

    Args:
        records: One row per run, with columns label, train_size, seed and the metric. subset_seed also
            distinguishes runs, if present. subset_sha256, n_train and n_test must agree within a pair, if
            present.
        first: Label of a model.
        second: Label of another.
        metric: An accuracy in [0, 1].

    Returns:
        Columns train_size, seed, subset_seed (NaN if unknown), first and second (their metric),
        difference (first - second) and log_ratio, the log of error(first) / error(second). An error is
        1 - metric, at least 1e-6.

    Raises:
        ValueError: A column or label is missing, or first is second. Or the runs are of several data sets,
            equal runs have different results, or a pair has different subsets or test images.
    """
    runs = runs_of_two(records, first, second, metric=metric)
    check_same_images(runs, first, second)
    pairs = _merged(runs, first, second, [metric, "error"])
    pairs = pairs.assign(
        first=pairs[metric],
        second=pairs[f"{metric}_other"],
        difference=pairs[metric] - pairs[f"{metric}_other"],
        log_ratio=np.log(pairs["error"] / pairs["error_other"]),
    )
    return pairs[PAIR_COLUMNS].sort_values(RUN_KEYS, ignore_index=True)


def runs_of_two(records: pd.DataFrame, first: str, second: str, *, metric: str) -> pd.DataFrame:
    """Return the runs of two models; see `records.runs_of`.

    Raises:
        ValueError: As `runs_of`, or first is second.
    """
    if first == second:
        raise ValueError(f"two different models are needed, got {first!r} twice")
    return runs_of(records, (first, second), metric)


def check_same_images(runs: pd.DataFrame, first: str, second: str) -> None:
    """Refuse runs of two models of which a pair was trained or tested on different images.

    Without any pair, the numbers of images must agree at each size.

    Args:
        runs: As `runs_of_two` returns them.
        first: Label of a model.
        second: Label of another.

    Raises:
        ValueError: With the pair, and the setting to change.
    """
    names = [name for name in SAME_IN_PAIR if name in runs]
    keys, pairs = RUN_KEYS, _merged(runs, first, second, names)
    if not len(pairs):  # independent runs have subsets of their own
        keys, names = ["train_size"], [name for name in names if name in NUMBERS]
        pairs = _merged(runs, first, second, names, on=keys)
    for name in names:
        what, settings = SAME_IN_PAIR[name]
        columns = [name, f"{name}_other"]
        known = pairs.dropna(subset=columns)
        equal = known[columns[0]] == known[columns[1]]
        different = known[~equal.groupby([known[key] for key in keys], dropna=False).transform("any")]
        if len(different):
            one, other = (_short(different[column].iloc[0]) for column in columns)
            seed = f" with seed {different['seed'].iloc[0]}" if "seed" in different else ""
            raise ValueError(
                f"the runs of {first!r} and {second!r} at {different['train_size'].iloc[0]:,} images{seed} "
                f"were {what}, {name} {one} and {other}; a comparison needs the same {settings}"
            )


def same_images(runs: pd.DataFrame) -> bool:
    """Return whether all runs of a size, seed and subset were trained and tested on the same images."""
    names = [name for name in SAME_IN_PAIR if name in runs]
    return not names or bool((runs.groupby(RUN_KEYS, dropna=False)[names].nunique() <= 1).all(axis=None))


def paired_differences(
    records: pd.DataFrame,
    first: str,
    second: str,
    *,
    metric: str = "test_accuracy",
    interval: str = "t",
) -> pd.DataFrame:
    """Return the mean difference of two models at each training-set size, with a paired t test.

    Args:
        records: One row per run; see `paired_runs`.
        first: Label of a model.
        second: Label of another.
        metric: An accuracy in [0, 1].
        interval: t or bca, of the differences.

    Returns:
        Columns train_size, n (pairs), mean (of first - second), low, high and p (two-sided). low, high and p
        are NaN for one pair. p is also NaN where all differences are equal.

    Raises:
        ValueError: As `paired_runs`; or there is no pair, or no such interval.
    """
    check_interval("mean", interval)
    pairs = paired_runs(records, first, second, metric=metric)
    if not len(pairs):
        raise ValueError(f"no run of {first!r} has the same size, seed and subset as a run of {second!r}")
    rows: list[tuple[int, int, float, float, float, float]] = []
    for size, group in pairs.groupby("train_size"):
        values = group["difference"].to_numpy()
        low, high = interval_of(values, kind=interval)
        can_test = len(values) > 1 and np.ptp(values) > 0
        p = t_test(values) if can_test else np.nan
        rows.append((int(cast("float", size)), len(values), float(values.mean()), low, high, p))
    return pd.DataFrame(rows, columns=["train_size", "n", "mean", "low", "high", "p"])


def _merged(
    runs: pd.DataFrame, first: str, second: str, columns: list[str], *, on: Sequence[str] = RUN_KEYS
) -> pd.DataFrame:
    """Return one row per pair, with some columns of both runs; those of the second end in "_other"."""
    names = [*on, *columns]
    one, other = (runs.loc[runs["label"] == label, names].drop_duplicates() for label in (first, second))
    return one.merge(other, on=list(on), suffixes=("", "_other"))


def _short(value: object) -> str:
    """Return a number of images without a fraction, or the first letters of a hash."""
    return f"{value:.0f}" if isinstance(value, float) else str(value)[:8]
