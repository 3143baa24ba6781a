"""Accuracy curves: centre and interval over seeds, by training-set size or any other settings.

>>> accuracy_curves(collect("outputs/digits"))  # doctest: +SKIP
>>> accuracy_curves(records, x="training.lr", line="train_size", panel="model.name")  # doctest: +SKIP
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vision.statistics.columns import NAMES, SEEDS
from vision.statistics.intervals import check_interval, interval_of, iqm
from vision.statistics.records import check_columns, check_metric
from vision.statistics.repetitions import average_seeds, drop_duplicate_runs
from vision.statistics.settings import check_homogeneous, has_several_values, varying_settings


def accuracy_curves(
    records: pd.DataFrame,
    *,
    x: str = "train_size",
    line: str = "label",
    panel: str = "data",
    metric: str = "test_accuracy",
    centre: str = "mean",
    interval: str = "t",
    is_share: bool = True,
) -> pd.DataFrame:
    """Return mean, median and IQM of a metric over seeds at each point, with the 95% interval of one.

    The interval is over new subsets and seeds, for this test set. Where several seeds share each of several
    subsets, n counts subsets; see `repetitions.average_seeds`.

    Args:
        records: One row per run, with the columns seed, the axes and the metric; see
            `vision.statistics.columns.COLUMNS`. Duplicate runs count once. Settings under their dotted
            names, as `results.collect` returns them, keep different runs from being averaged.
        x: Column of the horizontal axis, or several joined by commas; see `axis`.
        line: Column that has one line per value, or several joined by commas.
        panel: Column that has one panel per value, or several joined by commas. Without a column data,
            its value is "unnamed".
        metric: Column to average.
        centre: What the interval is of: mean, median or iqm.
        interval: t (mean only) or bca.
        is_share: Whether the metric is in [0, 1], to which its interval is then clipped.

    Returns:
        Columns panel, line and x under their own names, n, mean, median, iqm, std, low, high, sorted by the
        first three. low and high are NaN for one run.

    Raises:
        ValueError: A column is missing, or the centre or interval is unknown. Or runs of several data sets
            would be averaged; or runs of one line that differ in other settings; or equal runs differ in the
            metric.
    """
    check_interval(centre, interval)
    if panel == "data" and "data" not in records:
        records = records.assign(data="unnamed")
    check_columns(records, ("seed",))
    records = records.assign(**{name: axis(records, name) for name in (panel, line, x)})
    _check_mixed(records.drop(columns=metric, errors="ignore"), x, line, panel)
    keys = list(dict.fromkeys((panel, line, x)))
    # The same run under two names, such as 1437 and "all", is one run.
    seeds = [name for name in ("seed", "subset_seed") if name in records]
    if is_share:
        check_metric(records, metric)
    runs = average_seeds(drop_duplicate_runs(records, [*keys, *seeds], metric), keys, metric)
    groups = runs.groupby(keys, dropna=False)[metric]
    curves = groups.agg(n="count", mean="mean", median="median", iqm=_iqm, std="std").reset_index()
    ends = [interval_of(values.dropna().to_numpy(), centre=centre, kind=interval) for _, values in groups]
    curves[["low", "high"]] = np.clip(np.array(ends), 0.0, 1.0) if is_share else np.array(ends)
    return curves


def axis(records: pd.DataFrame, names: str) -> pd.Series:
    """Return the column `names`, or several joined by commas as one column of texts such as "steps 300".

    Numbers stored as text become numbers, except in names, because a label may be "18".

    Raises:
        ValueError: A column is missing; the message lists those that vary.
    """
    parts = names.split(",")
    if missing := [part for part in parts if part not in records]:
        raise ValueError(
            f"no column {', '.join(missing)} in these runs; "
            f"those that vary are {', '.join(varying_settings(records))}"
        )
    column = records[names] if len(parts) == 1 else records[parts].apply(_combined_text, axis=1)
    if names in NAMES or not all(isinstance(value, str) for value in column.tolist()):
        return column
    numbers = pd.Series(pd.to_numeric(column, errors="coerce"), column.index)
    return numbers if bool(numbers.notna().all()) else column


def choose_by_validation(
    records: pd.DataFrame, settings: Sequence[str], *, by: Sequence[str], metric: str = "val_accuracy"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs whose settings have the best validation score, for each group.

    The test score is never used.

    Args:
        records: One row per run.
        settings: Columns that were searched over.
        by: Columns that make a group.
        metric: Score that chooses, by its mean over the seeds; higher is better.

    Returns:
        The runs of the chosen settings, and a table with one row per group. Its columns are `by`, the
        settings, the mean metric, the number of settings tried, and the number of runs of each.

    Raises:
        ValueError: A column is missing, is an axis or a seed, or has only one value. Or the settings or
            seeds tried differ between groups, or a run has no metric.
    """
    for name in (*settings, *by):
        axis(records, name)
    if shared := set(settings) & set(by):
        raise ValueError(f"{', '.join(sorted(shared))} cannot be chosen and be an axis at the same time")
    if seeds := set(settings) & set(SEEDS):
        raise ValueError(f"{', '.join(sorted(seeds))} is a seed; seeds are averaged, not chosen")
    if not any(has_several_values(records[name]) for name in settings):
        raise ValueError(
            f"nothing to choose: all runs have the same {', '.join(settings)}; "
            f"those that vary are {', '.join(varying_settings(records))}"
        )
    check_metric(records, metric)
    chosen: list[pd.DataFrame] = []
    rows: list[dict[str, object]] = []
    for values, group in records.groupby(list(by), sort=False, dropna=False):
        trial = group.groupby(list(settings), dropna=False).ngroup()
        means = _mean_of_each(group, trial, metric, f"{', '.join(settings)}", ", ".join(map(str, values)))
        best = group[trial == means.idxmax()]
        chosen.append(best)
        kept = {name: best.iloc[0][name] for name in (*by, *settings)}
        rows.append({**kept, metric: means.max(), "tried": len(means), "runs of each": len(best)})
    choices = pd.DataFrame(rows)
    if choices["tried"].nunique() > 1:
        uneven = choices[[*by, "tried"]].to_string(index=False)
        raise ValueError(f"the groups were not searched equally; finish the sweep first:\n{uneven}")
    return pd.concat(chosen, ignore_index=True), choices


def _mean_of_each(group: pd.DataFrame, trial: pd.Series, metric: str, settings: str, name: str) -> pd.Series:
    """Return the mean metric of each trial of a group, all tried with the same seeds."""
    seeds = {tuple(sorted(runs.tolist())) for _, runs in group.groupby(trial)["seed"]}
    if len(seeds) > 1:
        raise ValueError(
            f"to choose {settings} each value must be tried with the same seeds, but for {name} they are "
            f"{sorted(seeds)}; finish the sweep first"
        )
    means = group.groupby(trial)[metric].mean()
    if means.isna().any():
        raise ValueError(f"to choose {settings} each run needs a {metric}, but some of {name} have none")
    return means


def _check_mixed(records: pd.DataFrame, x: str, line: str, panel: str) -> None:
    """Refuse points that average, and lines that connect, runs that differ in more than seeds."""
    axes = {*x.split(","), *line.split(","), *panel.split(",")}
    data = list(dict.fromkeys(map(str, records["data"]))) if "data" in records else []
    if len(data) > 1 and "data" not in axes:
        raise ValueError(
            f"runs of several data sets are not averaged: {', '.join(data)}; separate them by --panel data"
        )
    # Along a line of models their settings may differ, but not within one model.
    keys = [panel, line, x] if x in NAMES else [panel, line]
    remedy = "plot one sweep at a time, or separate them by an axis such as --line {setting}"
    check_homogeneous(records, keys, named=line, ignored=(*axes, *NAMES), remedy=remedy)


def _iqm(values: pd.Series) -> float:
    return float(iqm(values.dropna().to_numpy())) if values.notna().any() else np.nan


def _combined_text(settings: pd.Series) -> str:
    """Return "steps 300" for {"training.steps": 300.0, "training.epochs": None}."""
    return ", ".join(
        str(value) if name in NAMES else f"{str(name).rpartition('.')[2]} {_value_text(value)}"
        for name, value in settings.dropna().items()
    )


def _value_text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
