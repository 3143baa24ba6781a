"""The small print of a figure: n, kind of interval, budget, device, versions, commit.

>>> small_print(pd.DataFrame({"steps": [300, 300]}), None)
'2 runs; 300 steps'
"""

import pandas as pd

from vision.dynamic import JsonObject
from vision.report.wording.methods import MEAN, repetitions, run_count, value_range

VERSION_PREFIX = "version."


def small_print(
    records: pd.DataFrame,
    curves: pd.DataFrame | None,
    *,
    total: int | None = None,
    interval: str = MEAN,
) -> str:
    """Return one paragraph on how the runs of a figure were made, from what the records contain.

    Args:
        records: One row per run.
        curves: The points of the figure, with a column n; None where nothing is averaged.
        total: Number of runs that the sweep should have; None if unknown.
        interval: What a point is of its runs, and its band or bar.
    """
    parts = [run_count(len(records), total)]
    if curves is not None:
        least, most = int(curves["n"].min()), int(curves["n"].max())
        n = repetitions(least, most)
        parts.append(f"{n} per point: {interval} over seeds" if most > 1 else n)
    if "steps" in records:
        parts.append(f"{value_range(records['steps'])} steps")
    if {"precision", "device"} <= set(records):
        parts.append(f"{value_range(records['precision'])} on {value_range(records['device'])}")
    versions = versions_of(records)
    if "torch" in versions:
        parts.append(f"torch {', '.join(versions['torch'])}")
    if "commit" in records:
        parts.append(f"commit {', '.join(short_commits(records))}")
    if "finished" in records:
        parts.append(f"finished {str(records['finished'].dropna().max())[:10]}")
    return "; ".join(parts)


def versions_of(records: pd.DataFrame) -> dict[str, list[str]]:
    """Return the versions of each package in these runs."""
    if "versions" in records:
        rows: list[JsonObject] = records["versions"].tolist()
        columns = pd.DataFrame(rows)
    else:  # as `vision plot` writes them into records.csv
        columns = records[[name for name in records if str(name).startswith(VERSION_PREFIX)]]
    named = {str(name).removeprefix(VERSION_PREFIX): columns[name].dropna().tolist() for name in columns}
    return {name: [str(version) for version in dict.fromkeys(values)] for name, values in named.items()}


def short_commits(records: pd.DataFrame) -> list[str]:
    """Return the commits with ten digits each, and whether files differed from them."""
    commits = (str(commit) for commit in records["commit"].dropna().tolist())
    return list(dict.fromkeys(c[:10] + ("+changes" if "+" in c else "") for c in commits))
