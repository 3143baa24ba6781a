"""How the runs of a page were made: data, budget, recipe, versions, machines, hashes.

>>> methods(sweep)[0]  # doctest: +SKIP
('Runs', '60 of 60, n = 3 per point')
"""

from typing import cast

import pandas as pd

from vision.report.small_print import short_commits, versions_of
from vision.report.sweep import Sweep
from vision.report.wording.methods import (
    NO_INTERVALS,
    OTHER_SUBSETS,
    interval_basis,
    repetitions,
    same_subsets,
    value_range,
)
from vision.statistics.columns import SEEDS
from vision.statistics.settings import varying_settings
from vision.statistics.unknown_columns import unused_columns

HASH_DIGITS = 12
NOT_SHOWN = ("data.root", "data.train_sizes")
# Columns of a record whose values are listed, by their names on the page.
RECORD_COLUMNS = {
    **{"Test images": "n_test", "Optimizer steps": "steps", "Device": "device", "Precision": "precision"},
    **{"Threads": "threads", "Host": "host", "Python": "python"},
}


def methods(sweep: Sweep) -> list[tuple[str, str]]:
    """Return names and texts; what the records do not contain is left out."""
    records, n = sweep.records, sweep.curves["n"]
    runs = f"{len(records)} of {sweep.total or len(records)}, {repetitions(int(n.min()), int(n.max()))}"
    items = [
        ("Runs", f"{runs} per point"),
        ("Intervals", _intervals(records)),
        ("Data", sweep.data),
        ("Training images", ", ".join(f"{size:,}" for size in sweep.sizes)),
    ]
    items += [(name, value_range(records[c])) for name, c in RECORD_COLUMNS.items() if c in records]
    if versions := versions_of(records):
        named = (f"{name} {', '.join(values)}" for name, values in versions.items())
        items.append(("Versions", "; ".join(named)))
    if "commit" in records:
        items.append(("Commit", ", ".join(short_commits(records))))
    if {"started", "finished"} <= set(records):
        first, last = records["started"].dropna().min(), records["finished"].dropna().max()
        items.append(("Run between", f"{first} and {last}"))
    if settings := _common_settings(records):
        items.append(("Settings of all", settings))
    if unused := unused_columns(records):
        items.append(("Columns not used", f"{', '.join(unused)}; they differ between runs of a point"))
    if "subset_sha256" in records:
        items.append(("Subsets (SHA-256)", _subsets(records)))
    return items


def _intervals(records: pd.DataFrame) -> str:
    """Return what the intervals are over, from the seeds and subsets of the points."""
    if (records.groupby(["label", "train_size"]).size() == 1).all():
        return NO_INTERVALS
    kinds: dict[str, list[int]] = {}
    for size, runs in records.groupby("train_size"):
        kinds.setdefault(_repeats(runs), []).append(int(cast("float", size)))
    return interval_basis(kinds)


def _repeats(records: pd.DataFrame) -> str:
    """Return what is repeated at one size, as a key of `wording.methods.REPEATS`."""
    if "subset_seed" not in records or records["subset_seed"].isna().any():
        return "seeds"
    points = records.groupby("label")
    subsets, seeds, runs = points["subset_seed"].nunique(), points["seed"].nunique(), points.size()
    if (subsets == 1).all():
        return "one subset"
    if (subsets == runs).all():
        return "seeds and subsets" if (seeds == runs).all() else "subsets"
    return "averaged seeds"


def _common_settings(records: pd.DataFrame) -> str:
    different = {*varying_settings(records), *SEEDS}
    names = [str(name) for name in records if str(name).startswith(("data.", "training."))]
    shared = [name for name in names if name not in different and not name.startswith(NOT_SHOWN)]
    values = {name: records[name].iloc[0] for name in shared}
    return ", ".join(f"{name}={value}" for name, value in values.items() if not pd.isna(value))


def _subsets(records: pd.DataFrame) -> str:
    """Return one hash for each size and subset, if all models had the same, as a comparison needs."""
    keys = [name for name in ("train_size", "subset_seed") if name in records]
    groups = records.groupby(keys)["subset_sha256"]
    if (groups.nunique() > 1).any():
        return OTHER_SUBSETS
    return same_subsets([str(value)[:HASH_DIGITS] for value in groups.first().tolist()])
