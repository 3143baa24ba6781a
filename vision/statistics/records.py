"""The table of records that every statistic reads, and the checks on it.

>>> check_columns(pd.DataFrame({"label": ["CNN"], "seed": [0]}), ("label", "seed"))
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vision.statistics.columns import COLUMNS, NAMES, REQUIRED, RUN_KEYS
from vision.statistics.repetitions import average_seeds, drop_duplicate_runs
from vision.statistics.settings import check_homogeneous

MIN_ERROR = 1e-6


def check_columns(records: pd.DataFrame, needed: Sequence[str]) -> None:
    """Refuse records without one of the needed columns.

    Raises:
        ValueError: A column is missing. The message explains it and lists the columns that exist.
    """
    if missing := [name for name in needed if name not in records]:
        meaning = "; ".join(f"{name}: {COLUMNS[name]}" for name in missing if name in COLUMNS)
        raise ValueError(
            f"records must have the columns {', '.join(needed)}; missing are {', '.join(missing)}, "
            f"got {', '.join(map(str, records))}" + (f" ({meaning})" if meaning else "")
        )


def check_metric(records: pd.DataFrame, metric: str) -> None:
    """Refuse a metric that is not a column of shares in [0, 1].

    Raises:
        ValueError: The column is missing, empty, not numeric or out of range.
    """
    shares = [str(name) for name in records if str(name).endswith("_accuracy")]
    if metric not in records:
        raise ValueError(f"metric must be a column such as {', '.join(shares)}; got {metric!r}")
    values = records[metric]
    if not values.notna().any():
        hint = "; it needs validation images, set data.val_fraction above 0" if "val_" in metric else ""
        raise ValueError(f"no run has a value of {metric}{hint}")
    if not (pd.api.types.is_numeric_dtype(values) and bool(values.dropna().between(0, 1).all())):
        known: list[object] = [value for value in values.tolist() if pd.notna(value)]
        wrong = [value for value in known if not isinstance(value, int | float) or not 0 <= value <= 1]
        value = (wrong or known)[0]
        if metric.endswith("_accuracy"):
            raise ValueError(f"{metric} must be a share in [0, 1], such as 0.391 for 39.1%; got {value!r}")
        raise ValueError(
            f"metric must be a share in [0, 1] such as {', '.join(shares)}; got {metric!r} with {value!r}"
        )


def runs_of(records: pd.DataFrame, labels: Sequence[str], metric: str) -> pd.DataFrame:
    """Return the runs of some models that have the metric, each run once.

    Where several seeds share each of several subsets, each subset is one row; see `average_seeds`.

    Args:
        records: One row per run; see `COLUMNS`.
        labels: Names of the models.
        metric: An accuracy.

    Returns:
        Their rows with the column error = 1 - metric (at least 1e-6), and with subset_seed, NaN if unknown.

    Raises:
        ValueError: A column or a label is missing, or the runs are of several data sets. Or the runs of one
            model differ in a setting, or those of the same model, size and seeds differ in the metric.
    """
    check_columns(records, REQUIRED)
    check_metric(records, metric)
    known = records["label"]
    if missing := [label for label in labels if label not in set(known)]:
        names = ", ".join(sorted(map(str, set(known))))
        raise ValueError(f"no runs of {', '.join(map(str, missing))}; the records have runs of {names}")
    runs = records[known.isin(labels)]
    if "data" in runs and runs["data"].nunique() > 1:
        names = ", ".join(sorted(map(str, runs["data"].dropna().unique())))
        raise ValueError(f"runs must be of one data set, got {names}; select one by the column `data`")
    if not pd.api.types.is_numeric_dtype(runs["train_size"]):
        raise ValueError(f"train_size must be a number of images, got {runs['train_size'].iloc[0]!r}")
    check_homogeneous(
        runs, ["label"], named="label", ignored=(*NAMES, "train_size", metric), remedy="select one value"
    )
    if "subset_seed" not in runs:
        runs = runs.assign(subset_seed=np.nan)
    runs = drop_duplicate_runs(runs[runs[metric].notna()], ["label", *RUN_KEYS], metric)
    runs = average_seeds(runs, ["label", "train_size"], metric, together=["train_size"])
    return runs.assign(error=(1 - runs[metric]).clip(lower=MIN_ERROR))
