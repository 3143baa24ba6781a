"""Two models run by run: runs of one seed and subset are a pair, which do not differ in their images.

>>> paired_differences(records, "CNN", "ViT")  # doctest: +SKIP
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from vision.statistics.intervals import check_interval, interval_of
from vision.statistics.records import RUN, runs_of

# Columns in which the runs of a pair must agree where they are known: what else they would be, and why.
SAME = {
    "subset_sha256": ("trained on different subsets", "data, data.subset_seed and data.val_fraction"),
    "n_test": ("tested on different images", "data and data.test_size"),
}
COLUMNS = [*RUN, "first", "second", "difference", "log_ratio"]


def paired_runs(
    records: pd.DataFrame, first: str, second: str, *, metric: str = "test_accuracy"
) -> pd.DataFrame:
    """A row for each training-set size, seed and subset that two models both have.

    Args:
        records: one row a run, with columns label, train_size, seed and `metric` in [0, 1]; where there is
            subset_seed it tells runs apart too, and where there are subset_sha256 and n_test the two runs of
            a pair must have the same.
        first, second: two labels.
        metric: an accuracy.

    Returns:
        Columns train_size, seed, subset_seed (missing where the records lack it), first and second (their
        metric), difference (first - second) and log_ratio (log of error(first) / error(second), an error
        being what the metric lacks to 1, at least 1e-6).

    Raises:
        ValueError: a column or a label is not there, first is second, the runs are of several data sets, a
            run is there twice with two results, or those of a pair had different subsets or test images.
    """
    if first == second:
        raise ValueError(f"two models can be compared, got {first!r} twice")
    runs = runs_of(records, (first, second), metric)
    runs: Any = runs[[name for name in (*RUN, "label", metric, "error", *SAME) if name in runs]]
    one, other = (runs[runs["label"] == label] for label in (first, second))
    pairs: Any = one.merge(other, on=RUN, suffixes=("", "_other"))
    _refuse_other_images(pairs, first, second)
    pairs = pairs.assign(
        first=pairs[metric],
        second=pairs[f"{metric}_other"],
        difference=pairs[metric] - pairs[f"{metric}_other"],
        log_ratio=np.log(pairs["error"] / pairs["error_other"]),
    )
    return pairs[COLUMNS].sort_values(RUN, ignore_index=True)


def paired_differences(
    records: pd.DataFrame,
    first: str,
    second: str,
    *,
    metric: str = "test_accuracy",
    interval: str = "t",
) -> pd.DataFrame:
    """The mean difference of two models at each training-set size, with its interval and a paired t test.

    Args:
        records, first, second, metric: as in `paired_runs`.
        interval: t or bca, of the differences.

    Returns:
        Columns train_size, n (pairs), mean (of first - second), low, high, p (two-sided). With one pair low,
        high and p are missing; p is too where all differences are equal, which leaves no spread to test by.

    Raises:
        ValueError: as `paired_runs`, no two runs are a pair, or there is no such interval.
    """
    check_interval("mean", interval)
    pairs = paired_runs(records, first, second, metric=metric)
    if not len(pairs):
        raise ValueError(f"no run of {first!r} has the size, seed and subset of one of {second!r}")
    groups: Any = pairs.groupby("train_size")["difference"]
    rows = []
    for size, differences in groups:
        values = differences.to_numpy()
        low, high = interval_of(values, kind=interval)
        tested = len(values) > 1 and np.ptp(values) > 0
        found: Any = stats.ttest_1samp(values, 0.0) if tested else None
        p = float(found.pvalue) if tested else np.nan
        rows.append((int(size), len(values), float(values.mean()), low, high, p))
    return pd.DataFrame(rows, columns=["train_size", "n", "mean", "low", "high", "p"])


def _refuse_other_images(pairs: pd.DataFrame, first: str, second: str) -> None:
    for name, (what, needed) in SAME.items():
        names = [name, f"{name}_other"]
        known: Any = pairs.dropna(subset=names) if set(names) <= set(pairs) else pairs.iloc[:0]
        apart = known[known[names[0]] != known[names[1]]] if len(known) else known
        if len(apart):
            run = apart.iloc[0]
            one, other = (str(run[column])[:8] for column in names)
            where = f"at {run['train_size']:,} images with seed {run['seed']}"
            raise ValueError(
                f"the runs of {first!r} and {second!r} {where} "
                f"were {what}, {name} {one} and {other}; a pair needs the same {needed}"
            )
