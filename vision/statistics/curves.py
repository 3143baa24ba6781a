"""Centre and interval over seeds, one curve a model by training-set size, or by any other settings.

>>> accuracy_curves(collect("outputs/digits"))  # doctest: +SKIP
>>> accuracy_curves(records, x="training.lr", line="train_size", panel="model.name")  # doctest: +SKIP
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from vision.statistics.intervals import check_interval, interval_of, iqm
from vision.statistics.records import (
    NAMES,
    SEEDS,
    check_columns,
    check_metric,
    differs,
    once,
    per_subset,
    refuse_mixed,
    varying,
)


def accuracy_curves(
    records: pd.DataFrame,
    *,
    x: str = "train_size",
    line: str = "label",
    panel: str = "data",
    metric: str = "test_accuracy",
    centre: str = "mean",
    interval: str = "t",
) -> pd.DataFrame:
    """Mean, median and IQM of a metric over the seeds, one with its 95% interval, by panel, line and place x.

    The interval speaks of subsets and seeds drawn anew, with the test set as it is. Where several seeds share
    each of several subsets, the subsets are the repetitions, and n counts them (`records.per_subset`). With
    one run there is no interval, and low and high are missing; see `vision.statistics.intervals` for how well
    each kind covers.

    Args:
        records: one row a run, with the columns seed, those of the axes and `metric` in [0, 1]; see
            `vision.statistics.records.COLUMNS`. A run that is there twice counts once. Settings by their
            dotted names, as `results.collect` gives them, tell runs apart that must not be averaged.
        x, line, panel: columns, or several joined by commas (see `axis`). Without a column data all runs are
            of one data set, "unnamed".
        metric: the column to average.
        centre: what the interval is of: mean, median or iqm.
        interval: t, of the mean only, or bca.

    Returns:
        Columns panel, line and x under their own names, n, mean, median, iqm, std, low, high, ordered by the
        first three.

    Raises:
        ValueError: a column is not there; runs of several data sets would be averaged; runs of one line
            differ in another setting than x and the seeds, or of the same seeds in the metric; or there is no
            such centre or interval.
    """
    check_interval(centre, interval)
    if panel == "data" and "data" not in records:
        records = records.assign(data="unnamed")
    check_columns(records, ("seed",))
    records = records.assign(**{name: axis(records, name) for name in (panel, line, x)})
    _refuse_mixed(records, x, line, panel)
    keys = list(dict.fromkeys((panel, line, x)))
    # The same run under two names, as 1437 and "all", is one run.
    seeds = [name for name in ("seed", "subset_seed") if name in records]
    check_metric(records, metric)
    runs = per_subset(once(records, [*keys, *seeds], metric), keys, metric)
    groups: Any = runs.groupby(keys, dropna=False)[metric]
    curves = groups.agg(n="count", mean="mean", median="median", iqm=_iqm, std="std").reset_index()
    ends = [interval_of(values.dropna(), centre=centre, kind=interval) for _, values in groups]
    curves[["low", "high"]] = np.clip(np.array(ends), 0.0, 1.0)
    return curves


def axis(records: pd.DataFrame, names: str) -> pd.Series:
    """The column `names`; of several, as "training.steps,training.epochs", what is set in text: "steps 300".

    Numbers that were set as text become numbers, but in names, as a label may be "18".

    Raises:
        ValueError: a column is not there; the message lists those that vary.
    """
    parts = names.split(",")
    if missing := [part for part in parts if part not in records]:
        raise ValueError(
            f"no column {', '.join(missing)} in these runs; those that vary are {', '.join(varying(records))}"
        )
    column: Any = records[names] if len(parts) == 1 else records[parts].apply(_spelled, axis=1)
    numbers: Any = pd.to_numeric(column, errors="coerce")
    if names in NAMES:
        return column
    return numbers if column.map(type).eq(str).all() and numbers.notna().all() else column


def choose_by_validation(
    records: pd.DataFrame, settings: Sequence[str], *, by: Sequence[str], metric: str = "val_accuracy"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The runs whose settings did best in validation, for each group; the test set has no say in it.

    Args:
        records: one row a run.
        settings: what was searched over, by columns.
        by: columns that make a group.
        metric: what chooses, by its mean over the seeds; higher is better.

    Returns:
        The runs of the chosen settings; and a table with a row a group: `by`, the settings, the mean of the
        metric, how many settings were tried, and how many runs each had.

    Raises:
        ValueError: a column is not there, is a group's own or a seed, nothing was searched over, what was
            tried differs between groups, or its seeds within one, or it lacks the metric.
    """
    for name in (*settings, *by):
        axis(records, name)
    if shared := set(settings) & set(by):
        raise ValueError(f"{', '.join(sorted(shared))} cannot be chosen and be an axis at once")
    if chance := set(settings) & set(SEEDS):
        raise ValueError(f"{', '.join(sorted(chance))} is chance, which is averaged, not chosen")
    if not any(differs(records[name]) for name in settings):
        raise ValueError(
            f"nothing to choose: all runs have the same {', '.join(settings)}; "
            f"those that vary are {', '.join(varying(records))}"
        )
    check_metric(records, metric)
    groups: Any = records.groupby(list(by), sort=False, dropna=False)
    kept, rows = [], []
    for values, group in groups:
        trial = group.groupby(list(settings), dropna=False).ngroup()
        seeds = group.groupby(trial)["seed"].apply(lambda column: tuple(sorted(column)))
        if seeds.nunique() > 1:
            raise ValueError(
                f"to choose {', '.join(settings)} each must be tried with the same seeds, but for "
                f"{', '.join(map(str, values))} they are {sorted(set(seeds))}; finish the sweep first"
            )
        means = group.groupby(trial)[metric].mean()
        if means.isna().any():
            raise ValueError(
                f"to choose {', '.join(settings)} each needs a {metric}, but some of "
                f"{', '.join(map(str, values))} have none"
            )
        best = group[trial == means.idxmax()]
        kept.append(best)
        found = best.iloc[0][[*by, *settings]].to_dict()
        rows.append({**found, metric: means.max(), "tried": len(means), "runs of each": len(best)})
    choices = pd.DataFrame(rows)
    if len({row["tried"] for row in rows}) > 1:
        uneven = choices[[*by, "tried"]].to_string(index=False)
        raise ValueError(f"the groups were not searched alike; finish the sweep first:\n{uneven}")
    return pd.concat(kept, ignore_index=True), choices


def _refuse_mixed(records: pd.DataFrame, x: str, line: str, panel: str) -> None:
    """A point must not average runs that differ in more than seeds, nor a line join them up."""
    axes = {*x.split(","), *line.split(","), *panel.split(",")}
    sets = list(dict.fromkeys(map(str, records["data"]))) if "data" in records else []
    if len(sets) > 1 and "data" not in axes:
        names = ", ".join(sets)
        raise ValueError(f"runs of several data sets are not averaged: {names}; part them by --panel data")
    # Along a line of models all that belongs to them may differ, but not within one of them.
    keys = [panel, line, x] if x in NAMES else [panel, line]
    way = "plot one sweep at a time, or part them by an axis, as --line {setting}"
    refuse_mixed(records, keys, named=line, passed=(*axes, *NAMES), way=way)


def _iqm(values: Any) -> float:
    return iqm(values.dropna()) if values.notna().any() else np.nan


def _spelled(settings: pd.Series) -> str:
    """ "training.steps": 300.0, "training.epochs": None -> "steps 300"."""
    there = settings.dropna().items()
    return ", ".join(
        str(value) if name in NAMES else f"{str(name).rpartition('.')[2]} {_plain(value)}"
        for name, value in there
    )


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
