"""The table of records that every statistic reads: its columns, and the checks on them.

>>> check_columns(pd.DataFrame({"label": ["CNN"], "seed": [0]}), ("label", "seed"))
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vision.statistics.unknown_columns import SETTINGS, unknown_settings

COLUMNS = {
    "label": "name of the model",
    "train_size": "number of training images",
    "seed": "seed of the run; runs that differ only in seeds are repetitions",
    "test_accuracy": "share of correctly classified test images, in [0, 1]; other accuracies are metrics too",
    "subset_seed": "which subset of the training images; optional where the seed determines it",
    "subset_sha256": "hash of the subset's indices; optional, equal subsets are then not checked",
    "data": "name of the data set; optional where there is only one",
}
RUN_KEYS = ["train_size", "seed", "subset_seed"]
REQUIRED = ("label", "train_size", "seed")
MIN_ERROR = 1e-6
CONTROL_CHARACTERS = "[\x00-\x08\x0b\x0c\x0e-\x1f]"  # not allowed in HTML
# Names of what was run. They follow from other settings and make no difference themselves.
NAMES = ("data", "data.name", "label", "model.label", "model", "model.name", "model.init_from")
SEEDS = ("seed", "subset_seed", "data.subset_seed")
ACCURACIES = ("test_accuracy", "val_accuracy", "train_accuracy")
COSTS = ("params", "macs", "steps", "train_seconds")


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
        raise ValueError(
            f"no run has a {metric}; a validation accuracy needs validation images, "
            "set data.val_fraction above 0"
        )
    if not (pd.api.types.is_numeric_dtype(values) and bool(values.dropna().between(0, 1).all())):
        known: list[object] = [value for value in values.tolist() if pd.notna(value)]
        wrong = [value for value in known if not isinstance(value, int | float) or not 0 <= value <= 1]
        raise ValueError(
            f"metric must be a share in [0, 1] such as {', '.join(shares)}; got {metric!r} with "
            f"{(wrong or known)[0]!r}"
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


def average_seeds(
    runs: pd.DataFrame, keys: Sequence[str], metric: str, *, together: Sequence[str] | None = None
) -> pd.DataFrame:
    """Average the seeds of each subset at points where several seeds share each of several subsets.

    Runs on one subset are not independent repetitions, so n must count subsets there. Rows stay unchanged
    where each seed has its own subset, where all share one subset, and where the subset is unknown.

    Args:
        runs: With columns seed and subset_seed, each run once.
        keys: Columns that make a point.
        metric: Column to average.
        together: Keys within which all points are treated the same way, so that their runs can be paired.
            None: all keys.
    """
    if "subset_seed" not in runs or not len(runs):
        return runs
    points = runs.groupby(list(keys), dropna=False)["subset_seed"]
    subsets = runs.groupby([*keys, "subset_seed"], dropna=False)[metric]
    known = runs["subset_seed"].notna()
    crossed = known & (points.transform("nunique") > 1) & (subsets.transform("size") > 1)
    groups = [runs[name] for name in together or keys]
    averaged = known & crossed.groupby(groups, dropna=False).transform("any")
    new = {metric: subsets.transform("mean"), "seed": runs["subset_seed"]}
    means = runs.assign(**{name: column.where(averaged, runs[name]) for name, column in new.items()})
    return means[~(averaged & runs.duplicated([*keys, "subset_seed"]))]


def varying_settings(records: pd.DataFrame) -> list[str]:
    """Return the settings and names in which these runs differ, other than their seeds.

    Unknown columns that vary at one model and size as a setting does are among them.
    """
    known = [
        name for name in map(str, records) if name in (*NAMES, "train_size") or name.startswith(SETTINGS)
    ]
    varying = [name for name in known if name not in SEEDS and has_several_values(records[name])]
    return [*varying, *unknown_settings(records)]


def check_homogeneous(
    records: pd.DataFrame, keys: Sequence[str], *, named: str, ignored: Sequence[str], remedy: str
) -> None:
    """Refuse groups of runs that differ in more than seeds, because they would be averaged.

    Args:
        records: One row per run.
        keys: Columns whose values make a group.
        named: Column by which the message names the group.
        ignored: Settings that may differ within a group.
        remedy: What to do about it; "{setting}" in it becomes the first setting that differs.

    Raises:
        ValueError: With the group, the settings and their values.
    """
    others = [name for name in varying_settings(records) if name not in ignored]
    if not others:
        return
    for _, runs in records.groupby(list(dict.fromkeys(keys)), dropna=False):
        if different := [name for name in others if has_several_values(runs[name])]:
            values = ", ".join(sorted({str(value) for value in runs[different[0]]}))
            unknown = different[0] in unknown_settings(records)
            hint = f", which is not a column of a record (remove {different[0]} if it is a result)"
            raise ValueError(
                f"the runs of {runs.iloc[0][named]} differ in {', '.join(different)} ({values})"
                f"{hint if unknown else ''}; "
                f"{remedy.format(setting=different[0])}"
            )


def drop_duplicate_runs(records: pd.DataFrame, keys: Sequence[str], metric: str) -> pd.DataFrame:
    """Return the records with each run once; rows with the same keys and metric are the same run.

    Raises:
        ValueError: Rows with the same keys differ in the metric.
    """
    different = records.drop_duplicates([*keys, metric])
    repeated = different[different.duplicated(list(keys), keep=False)]
    if len(repeated):
        run, group = next(iter(repeated.groupby(list(keys), dropna=False, sort=False)))
        name = ", ".join(f"{key} {v}" for key, v in zip(keys, map(str, run), strict=True) if v != "nan")
        raise ValueError(
            f"several runs of {name} differ in {metric} ({', '.join(f'{v:g}' for v in group[metric])}), "
            "so they differ in more than seeds; select one setting, or add their subset_seed"
        )
    return different


def check_runs(records: pd.DataFrame) -> pd.DataFrame:
    """Return records with labels and data as text, sizes as integers, shares and costs as numbers.

    Missing columns are skipped; `check_columns` asks for them.

    Raises:
        ValueError: A label or data set is missing or has control characters, a train_size is not a positive
            integer, or an accuracy or cost is not a number. The message shows the first wrong value.
    """
    readers = {"label": _texts, "data": _texts, "train_size": _sizes}
    readers |= dict.fromkeys(ACCURACIES, _shares) | dict.fromkeys(COSTS, _numbers)
    return records.assign(**{name: read(records[name]) for name, read in readers.items() if name in records})


def _texts(column: pd.Series) -> pd.Series:
    texts = column.map(str)
    _refuse(column, texts.str.contains(CONTROL_CHARACTERS), "a name without control characters")
    if missing := int(column.isna().sum()):
        remedy = "name the data set in each, or omit the column" if column.name == "data" else "name each"
        raise ValueError(f"{column.name} is missing in {missing} of {len(column)} rows; {remedy}")
    return texts


def _sizes(column: pd.Series) -> pd.Series:
    numbers = pd.Series(pd.to_numeric(column, errors="coerce"), column.index)
    integers = numbers.map(np.isfinite) & (numbers >= 1) & (numbers % 1 == 0)
    _refuse(column, ~integers, "a positive integer number of training images")
    return numbers.astype("int64")


def _shares(column: pd.Series) -> pd.Series:
    numbers = pd.Series(pd.to_numeric(column, errors="coerce"), column.index)
    _refuse(column, column.notna() & numbers.isna(), "a share in [0, 1], such as 0.391 for 39.1%")
    return numbers


def _numbers(column: pd.Series) -> pd.Series:
    numbers = pd.Series(pd.to_numeric(column, errors="coerce"), column.index)
    _refuse(column, column.notna() & numbers.isna(), "a number, such as 60000")
    return numbers


def _refuse(column: pd.Series, wrong: pd.Series, right: str) -> None:
    values = [value for value, is_wrong in zip(column.tolist(), wrong.tolist(), strict=True) if is_wrong]
    if values:
        raise ValueError(
            f"{column.name} must be {right}; got {values[0]!r} (wrong in {len(values)} of {len(column)} rows)"
        )


def has_several_values(column: pd.Series) -> bool:
    """Return whether a column of settings holds more than one value; values may be lists."""
    if pd.api.types.is_numeric_dtype(column):
        return column.nunique(dropna=False) > 1
    return column.map(str).nunique() > 1
