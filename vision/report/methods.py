"""How the runs of a page were made: data, budget, recipe, versions, machines, hashes.

>>> measured(sweep)[0]  # doctest: +SKIP
('Runs', '60 of 60, n = 3 a point')
"""

from typing import Any

import pandas as pd

from vision.report.captions import distinct, short_commits, versions_of
from vision.report.sweep import Sweep, curves_of
from vision.statistics.records import SEEDS, varying

HASH = 12
FEW = 6  # hashes that are shown; each stands with its runs
LEFT_OUT = ("data.root", "data.train_sizes")


def measured(sweep: Sweep) -> list[tuple[str, str]]:
    """Names and texts, what the records do not tell left out."""
    records = sweep.records
    total = sum(map(len, sweep.states.values())) or len(records)
    counts: Any = curves_of(sweep)["n"]
    seeds = " to ".join(dict.fromkeys((str(counts.min()), str(counts.max()))))
    items = [
        ("Runs", f"{len(records)} of {total}, n = {seeds} a point"),
        ("Intervals", _intervals(records)),
        ("Data", sweep.data),
        ("Training images", ", ".join(f"{size:,}" for size in sweep.sizes)),
    ]
    for name, column in (
        *(("Test images", "n_test"), ("Optimizer steps", "steps"), ("Device", "device")),
        *(("Precision", "precision"), ("Threads", "threads"), ("Host", "host"), ("Python", "python")),
    ):
        if column in records:
            items.append((name, distinct(records, column)))
    if versions := versions_of(records):
        named = (f"{name} {', '.join(found)}" for name, found in versions.items())
        items.append(("Versions", "; ".join(named)))
    if "commit" in records:
        items.append(("Commit", ", ".join(short_commits(records))))
    if {"started", "finished"} <= set(records):
        items.append(
            ("Run between", f"{records['started'].dropna().min()} and {records['finished'].dropna().max()}")
        )
    if settings := _common_settings(records):
        items.append(("Settings of all", settings))
    if "subset_sha256" in records:
        items.append(("Subsets (SHA-256)", _subsets(records)))
    return items


def _intervals(records: pd.DataFrame) -> str:
    """What the intervals are over, as seeds and subsets of the points tell."""
    points: Any = records.groupby(["label", "train_size"])
    if (points.size() == 1).all():
        return "none drawn: there is one run a point"
    return f"95%, Student's t {_over(records)}"


def _over(records: Any) -> str:
    """What repeats at each size; of several kinds, each with its sizes."""
    kinds: dict[str, list[str]] = {}
    for size, runs in records.groupby("train_size"):
        kinds.setdefault(_over_one(runs), []).append(f"{size:,}")
    if len(kinds) == 1:
        return next(iter(kinds))
    return "; ".join(f"at {', '.join(sizes)} images {kind}" for kind, sizes in kinds.items())


def _over_one(records: Any) -> str:
    """Of the runs of one size."""
    points: Any = records.groupby("label")
    if "subset_seed" not in records or records["subset_seed"].isna().any():
        return "over seeds"
    if (points["subset_seed"].nunique() == 1).all():
        return "over seeds on one and the same subset, so it says nothing about other subsets"
    if (points["subset_seed"].nunique() == points.size()).all():
        several = (points["seed"].nunique() == points.size()).all()
        return "over seeds, each with its own subset" if several else "over subsets"
    return "over subsets, the seeds of each averaged"


def _common_settings(records: pd.DataFrame) -> str:
    apart = {*varying(records), *SEEDS}
    names = [str(name) for name in records if str(name).startswith(("data.", "training."))]
    shared = [name for name in names if name not in apart and not name.startswith(LEFT_OUT)]
    values = {name: records[name].iloc[0] for name in shared}
    return ", ".join(f"{name}={value}" for name, value in values.items() if not pd.isna(value))


def _subsets(records: pd.DataFrame) -> str:
    """One hash for each size and subset if all models had the same, which is what a comparison needs."""
    keys = [name for name in ("train_size", "subset_seed") if name in records]
    groups: Any = records.groupby(keys)["subset_sha256"]
    if (groups.nunique() > 1).any():
        return "the models did NOT have the same subsets at each size and seed; see the runs"
    hashes = [str(value)[:HASH] for value in groups.first()]
    more = ", …" if len(hashes) > FEW else ""
    return f"the same for all models at each size and seed, {len(hashes)}: {', '.join(hashes[:FEW])}{more}"
