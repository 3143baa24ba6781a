"""In which settings runs differ, and the refusal to average runs that differ in more than seeds."""

from collections.abc import Sequence

import pandas as pd

from vision.statistics.columns import NAMES, SEEDS
from vision.statistics.unknown_columns import SETTINGS, unknown_settings


def varying_settings(records: pd.DataFrame) -> list[str]:
    """Return the settings and names in which these runs differ, other than their seeds.

    Unknown columns that vary at one model and size as a setting does are among them.
    """
    known = [
        name for name in map(str, records) if name in (*NAMES, "train_size") or name.startswith(SETTINGS)
    ]
    varying = [name for name in known if name not in SEEDS and has_several_values(records[name])]
    return [*varying, *unknown_settings(records)]


def without_shared_settings(records: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the columns of settings that have one value, which no statistic reads."""
    shared = [
        name
        for name in map(str, records)
        if name.startswith(SETTINGS) and name not in NAMES and not has_several_values(records[name])
    ]
    return records.drop(columns=shared)


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


def has_several_values(column: pd.Series) -> bool:
    """Return whether a column of settings holds more than one value; values may be lists."""
    if pd.api.types.is_numeric_dtype(column):
        return column.nunique(dropna=False) > 1
    return column.map(str).nunique() > 1
