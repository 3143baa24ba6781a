"""Accuracy against training-set size: mean and interval over seeds, one curve a model.

>>> accuracy_curves(collect("outputs/digits"))  # doctest: +SKIP
"""

import pandas as pd
from scipy import stats

CONFIDENCE = 0.95


def accuracy_curves(records: pd.DataFrame, *, metric: str = "test_accuracy") -> pd.DataFrame:
    """Mean and 95% interval of a metric over the seeds of each data set, model and training-set size.

    The interval is Student's t on the runs' values: it speaks of subsets and seeds drawn anew, with the
    test set as it is. With one run there is none, and low and high are missing.

    Args:
        records: one row a run, with columns data, label, train_size, seed, subset_seed and `metric`
            in [0, 1]; a run that is there twice counts once.
        metric: the column to average.

    Returns:
        Columns data, label, train_size, n, mean, std, low, high, ordered by the first three.
    """
    keys = ["data", "label", "train_size"]
    # The same run under two names, as 1437 and "all", is one run.
    groups = records.drop_duplicates([*keys, "seed", "subset_seed"]).groupby(keys)[metric]
    curves = groups.agg(n="count", mean="mean", std="std").reset_index()
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, (curves["n"] - 1).clip(lower=1).to_numpy())
    half = curves["std"] / curves["n"] ** 0.5 * quantile
    curves["low"] = (curves["mean"] - half).clip(lower=0.0)
    curves["high"] = (curves["mean"] + half).clip(upper=1.0)
    return curves
