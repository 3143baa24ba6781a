"""The table that the analyses of runs read: one row a run, from `results.collect` or a CSV from elsewhere.

>>> check_columns(pd.read_csv("elsewhere.csv"), ("label", "train_size", "seed"))  # doctest: +SKIP
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = {
    "label": "name of the model",
    "train_size": "number of training images",
    "seed": "of the run; runs that differ in it only are repetitions",
    "test_accuracy": "share of test images classified rightly, in [0, 1]; a metric, as any other accuracy is",
    "subset_seed": "which subset of the training images; may be missing where the seed says it",
    "subset_sha256": "of the subset's indices; may be missing: equal subsets are then taken on trust",
    "data": "name of the data set; may be missing where there is one only",
}
RUN = ["train_size", "seed", "subset_seed"]
ALWAYS = ("label", "train_size", "seed")
LEAST_ERROR = 1e-6
CONTROL = "[\x00-\x08\x0b\x0c\x0e-\x1f]"  # what no page can hold
# Settings that name what a run is of; they follow others and make no difference themselves.
NAMES = ("data", "data.name", "label", "model.label", "model", "model.name", "model.init_from")
SEEDS = ("seed", "subset_seed", "data.subset_seed")
SETTINGS = ("data.", "model.", "training.")


def check_columns(records: pd.DataFrame, needed: Sequence[str]) -> None:
    """Refuse records that lack one of the `needed` columns.

    Raises:
        ValueError: with those that are missing, what each is, and those that are there.
    """
    if missing := [name for name in needed if name not in records]:
        meant = "; ".join(f"{name}: {COLUMNS[name]}" for name in missing if name in COLUMNS)
        raise ValueError(
            f"records lack {', '.join(missing)}; needed are {', '.join(needed)}, there are "
            f"{', '.join(map(str, records))}" + (f" ({meant})" if meant else "")
        )


def check_metric(records: pd.DataFrame, metric: str) -> None:
    """Refuse a metric that is no column of shares.

    Raises:
        ValueError: it is missing, empty, no number or not in [0, 1]; with the accuracies that are there.
    """
    shares = [str(name) for name in records if str(name).endswith("_accuracy")]
    if metric not in records:
        raise ValueError(f"metric must be a column, as {', '.join(shares)}; got {metric!r}")
    values: Any = records[metric]
    if not values.notna().any():
        raise ValueError(
            f"no run has a {metric}; one of validation needs images held out, by data.val_fraction above 0"
        )
    if not (pd.api.types.is_numeric_dtype(values) and values.dropna().between(0, 1).all()):
        known = [value for value in values if pd.notna(value)]
        wrong = [value for value in known if not isinstance(value, int | float) or not 0 <= value <= 1]
        raise ValueError(
            f"metric must be a share in [0, 1], as {', '.join(shares)}; got {metric!r} with "
            f"{(wrong or known)[0]!r}"
        )


def runs_of(records: pd.DataFrame, labels: Sequence[str], metric: str) -> pd.DataFrame:
    """The runs of some models that have the metric, each once, or one row a subset; see `per_subset`.

    Args:
        records: one row a run; see `COLUMNS`. A run that is there twice counts once.
        labels: of the models.
        metric: an accuracy.

    Returns:
        Their rows with `error`, 1 - metric (0 counts as 1e-6), and with `subset_seed`, missing if it was.

    Raises:
        ValueError: a column or a label is not there, the runs are of several data sets, those of one model
            differ in a setting, or those of the same model, size and seeds in the metric.
    """
    check_columns(records, ALWAYS)
    check_metric(records, metric)
    there: Any = records["label"]
    if missing := [label for label in labels if label not in set(there)]:
        names = ", ".join(sorted(map(str, set(there))))
        raise ValueError(f"no runs of {', '.join(map(str, missing))}; there are {names}")
    kept: Any = records[there.isin(labels)]
    if "data" in kept and kept["data"].nunique() > 1:
        names = ", ".join(sorted(map(str, kept["data"].dropna().unique())))
        raise ValueError(f"runs of one data set can be compared, got those of {names}; choose by `data`")
    if not pd.api.types.is_numeric_dtype(kept["train_size"]):
        raise ValueError(f"train_size must be a number of images, got {kept['train_size'].iloc[0]!r}")
    refuse_mixed(
        kept, ["label"], named="label", passed=(*NAMES, "train_size"), way="give those of one setting"
    )
    if "subset_seed" not in kept:
        kept = kept.assign(subset_seed=np.nan)
    kept = once(kept[kept[metric].notna()], ["label", *RUN], metric)
    kept = per_subset(kept, ["label", "train_size"], metric, alike=["train_size"])
    return kept.assign(error=(1 - kept[metric]).clip(lower=LEAST_ERROR))


def per_subset(
    runs: pd.DataFrame, keys: Sequence[str], metric: str, *, alike: Sequence[str] | None = None
) -> pd.DataFrame:
    """One row for each subset, with the mean of its seeds' metric, at points with several of both.

    Runs on one subset share its luck, so that they are no repetitions of each other: what chance draws anew
    is the subset, and n counts subsets. At points where each seed has a subset of its own, or all have the
    same, the rows stay as they are; so do runs whose subset is not known.

    Args:
        runs: with columns seed and subset_seed; each run once.
        keys: columns that make a point.
        metric: the column to average.
        alike: those of the keys by which points are treated alike, so that their runs can be paired; None
            is all of them.
    """
    if "subset_seed" not in runs or not len(runs):
        return runs
    points: Any = runs.groupby(list(keys), dropna=False)["subset_seed"]
    subsets: Any = runs.groupby([*keys, "subset_seed"], dropna=False)[metric]
    known = runs["subset_seed"].notna()
    crossed: Any = known & (points.transform("nunique") > 1) & (subsets.transform("size") > 1)
    groups = [runs[name] for name in alike or keys]
    averaged = known & crossed.groupby(groups, dropna=False).transform("any")
    instead = {metric: subsets.transform("mean"), "seed": runs["subset_seed"]}
    means: Any = runs.assign(**{name: column.where(averaged, runs[name]) for name, column in instead.items()})
    return means[~(averaged & runs.duplicated([*keys, "subset_seed"]))]


def varying(records: pd.DataFrame) -> list[str]:
    """The settings and names in which these runs differ, but for their seeds."""
    known = [name for name in records if name in (*NAMES, "train_size") or str(name).startswith(SETTINGS)]
    return [str(name) for name in known if name not in SEEDS and differs(records[name])]


def refuse_mixed(
    records: pd.DataFrame, keys: Sequence[str], *, named: str, passed: Sequence[str], way: str
) -> None:
    """Refuse runs that differ in settings where only seeds may differ: they would be averaged.

    Args:
        records: one row a run.
        keys: columns whose values make a group.
        named: the one that the message names.
        passed: settings that may differ within one.
        way: what to do about it; "{setting}" in it becomes the first of those found.

    Raises:
        ValueError: with the group, the settings and their values.
    """
    others = [name for name in varying(records) if name not in passed]
    if not others:
        return
    for _, runs in records.groupby(list(dict.fromkeys(keys)), dropna=False):
        if found := [name for name in others if differs(runs[name])]:
            values = ", ".join(sorted({str(value) for value in runs[found[0]]}))
            of, way = runs.iloc[0][named], way.format(setting=found[0])
            raise ValueError(f"the runs of {of} differ in {', '.join(found)} ({values}); {way}")


def once(records: pd.DataFrame, keys: Sequence[str], metric: str) -> pd.DataFrame:
    """The records without repetitions of a run, which have the same keys and metric.

    Raises:
        ValueError: runs with the same keys differ in the metric.
    """
    different: Any = records.drop_duplicates([*keys, metric])
    twice: Any = different[different.duplicated(keys, keep=False)]
    if len(twice):
        groups: Any = twice.groupby(list(keys), dropna=False, sort=False)
        run, values = next(iter(groups))
        named = ", ".join(f"{key} {value}" for key, value in zip(keys, run, strict=True) if pd.notna(value))
        raise ValueError(
            f"several runs of {named} differ in {metric} ({', '.join(f'{v:g}' for v in values[metric])}), so "
            "that they differ in more than seeds; give those of one setting, or their subset_seed"
        )
    return different


def check_runs(records: pd.DataFrame) -> pd.DataFrame:
    """Records from anywhere -> the same, label and data as text, sizes whole, shares and costs as numbers.

    Columns that are not there are passed over; `check_columns` asks for them.

    Raises:
        ValueError: a label or data set is missing or has control characters, a train_size is no whole number
            of images, or an accuracy or a cost no number; with the first wrong value.
    """
    readers = {"label": _texts, "data": _texts, "train_size": _sizes}
    readers |= dict.fromkeys(("test_accuracy", "val_accuracy", "train_accuracy"), _shares)
    readers |= dict.fromkeys(("params", "macs", "steps", "train_seconds"), _numbers)
    return records.assign(**{name: read(records[name]) for name, read in readers.items() if name in records})


def _texts(column: Any) -> Any:
    _refuse(column, column.map(str).str.contains(CONTROL), "a name without control characters")
    if missing := int(column.isna().sum()):
        way = "name the data set in each, or leave the column out" if column.name == "data" else "name each"
        raise ValueError(f"{column.name} is missing in {missing} of {len(column)} rows; {way}")
    return column.map(str)


def _sizes(column: Any) -> Any:
    numbers: Any = pd.to_numeric(column, errors="coerce")
    whole = np.isfinite(numbers) & (numbers >= 1) & (numbers % 1 == 0)
    _refuse(column, ~whole, "a whole number of training images, 1 or more")
    return numbers.astype("int64")


def _shares(column: Any) -> Any:
    numbers: Any = pd.to_numeric(column, errors="coerce")
    _refuse(column, column.notna() & numbers.isna(), "a share in [0, 1], as 0.391 for 39.1%")
    return numbers


def _numbers(column: Any) -> Any:
    numbers: Any = pd.to_numeric(column, errors="coerce")
    _refuse(column, column.notna() & numbers.isna(), "a number, as 60000")
    return numbers


def _refuse(column: Any, wrong: Any, right: str) -> None:
    if found := [value for value, is_wrong in zip(column.tolist(), wrong.tolist(), strict=True) if is_wrong]:
        raise ValueError(
            f"{column.name} must be {right}; got {found[0]!r} (wrong in {len(found)} of {len(column)} rows)"
        )


def differs(column: Any) -> bool:
    """Whether a column of settings, lists among them, holds more than one value."""
    if pd.api.types.is_numeric_dtype(column):
        return column.nunique(dropna=False) > 1
    return column.map(str).nunique() > 1
