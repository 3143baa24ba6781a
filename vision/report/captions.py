"""The small print of a figure: n, kind of interval, budget, device, versions, commit.

>>> notes(records, curves)  # doctest: +SKIP
"""

from typing import Any

import pandas as pd

FEW = 4
MEAN = "mean, 95% t interval"
VERSION = "version."


def notes(
    records: pd.DataFrame,
    curves: pd.DataFrame | None,
    *,
    total: int | None = None,
    interval: str = MEAN,
) -> str:
    """One paragraph on how the runs of a figure were made, of what their records tell.

    Args:
        records: a row a run.
        curves: what is drawn of them, with a column n; None where nothing is averaged.
        total: runs that the sweep is meant to hold; None where nobody knows.
        interval: what a point is of its runs, and its band or bar.
    """
    parts = [f"{len(records)} of {total} runs" if total else f"{len(records)} runs"]
    if curves is not None:
        counts: Any = curves["n"]
        seeds = " to ".join(dict.fromkeys((str(counts.min()), str(counts.max()))))
        parts.append(f"n = {seeds} a point: {interval} over seeds" if counts.max() > 1 else "n = 1")
    if "steps" in records:
        parts.append(f"steps {distinct(records, 'steps')}")
    if {"precision", "device"} <= set(records):
        parts.append(f"{distinct(records, 'precision')} on {distinct(records, 'device')}")
    versions = versions_of(records)
    if "torch" in versions:
        parts.append(f"torch {', '.join(versions['torch'])}")
    if "commit" in records:
        parts.append(f"commit {', '.join(short_commits(records))}")
    if "finished" in records:
        parts.append(f"finished {str(records['finished'].dropna().max())[:10]}")
    return "; ".join(parts)


def distinct(records: pd.DataFrame, column: str) -> str:
    """The values of a column: all if they are few; else of numbers the ends, of names the first."""
    known: Any = records[column].dropna()
    values = list(dict.fromkeys(map(str, known)))
    if len(values) < FEW:
        return ", ".join(values)
    if pd.api.types.is_numeric_dtype(known):
        return f"{known.min():,} to {known.max():,}"
    return f"{values[0]} and {len(values) - 1} more"


def versions_of(records: pd.DataFrame) -> dict[str, list[str]]:
    """Package -> its versions in these runs."""
    if "versions" in records:
        columns: Any = pd.DataFrame(records["versions"].tolist())
    else:  # as `vision plot` writes them into records.csv
        columns = records[[name for name in records if str(name).startswith(VERSION)]]
    named = {str(name).removeprefix(VERSION): columns[name] for name in columns}
    return {name: [str(v) for v in dict.fromkeys(column.dropna())] for name, column in named.items()}


def short_commits(records: pd.DataFrame) -> list[str]:
    """Commits, ten digits each, and whether there were changes beside them."""
    commits = (str(commit) for commit in records["commit"].dropna())
    return list(dict.fromkeys(c[:10] + ("+changes" if "+" in c else "") for c in commits))
