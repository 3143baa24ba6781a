"""The state of each run of a sweep.

>>> status(Path("outputs/demo"))["failed"]  # doctest: +SKIP
[]
"""

import json
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from vision.results.claim import PARTIAL, attempts, read_holder
from vision.results.convergence import undertrained
from vision.results.files import LOCK, METRICS
from vision.results.index import index
from vision.results.plan import read_plan
from vision.results.walk import walk


def status(sweep: Path) -> dict[str, list[str]]:
    """Return the run folders below `sweep`, relative to it, by state.

    The states are finished, failed, running, missing, and damaged: finished, but the record was altered, cut
    or copied. A run whose process was killed is missing. One of another machine is running until another
    process finds that its heartbeat stands still.
    """
    found = walk(sweep)
    damaged = {run.folder for run in index(sweep, found.finished, records=False) if run.damage}
    states = {
        "finished": set(found.finished) - damaged,
        "failed": set(found.failed),
        "running": {name.split(PARTIAL)[0] for name in found.attempts if _may_be_alive(sweep / name)},
        "missing": set[str](),
        "damaged": damaged,
    }
    states["running"] -= states["finished"]
    states["failed"] -= states["running"]
    for folder in found.plans:
        states["missing"] |= {_below(folder, run) for run in read_plan(sweep / folder).runs}
    states["missing"] -= set[str]().union(*(states[name] for name in states if name != "missing"))
    return {state: sorted(runs) for state, runs in states.items()}


def runs_not_in_plan(sweep: Path) -> list[str]:
    """Return the unfinished runs of earlier plans that the sweeps as last issued do not have."""
    found = walk(sweep)
    earlier = {_below(f, run) for f in found.plans for run in read_plan(sweep / f).earlier}
    return sorted(earlier - set(found.finished))


def damages(sweep: Path) -> dict[str, str]:
    """Return what is wrong with the records of damaged runs, by folder."""
    return {run.folder: run.damage for run in index(sweep, records=False) if run.damage}


def count_undertrained(sweep: Path) -> dict[str, int]:
    """Count the finished runs whose budget may limit them; see `undertrained`."""
    sound = [run for run in index(sweep, records=False) if not run.damage]
    return undertrained(
        {"train_accuracy": run.train_accuracy, "late_loss_fall": run.late_loss_fall} for run in sound
    )


def count_unreadable(sweep: Path) -> dict[str, int]:
    """Count the finished runs that left out the same images, by a text that names these."""
    return Counter(run.unreadable for run in index(sweep, records=False) if run.unreadable)


def progress_of(run: Path) -> tuple[str, int, float]:
    """Return who computes a run, the step of its last validation, and the seconds since its last heartbeat.

    The seconds depend on clocks, so they are for reading only; see `Watch`.
    """
    found = attempts(run)
    if not found:
        return "another process", 0, 0.0
    holder, step, beat = read_holder(found[-1]), 0, time.time()
    with suppress(OSError, ValueError, KeyError, IndexError):
        step = int(json.loads((found[-1] / METRICS).read_text().splitlines()[-1])["step"])
    with suppress(OSError):
        beat = (found[-1] / LOCK).stat().st_mtime
    return str(holder or "another process"), step, max(0.0, time.time() - beat)


def _may_be_alive(attempt: Path) -> bool:
    holder = read_holder(attempt)
    return attempt.exists() and (holder is None or holder.is_alive() is not False)


def _below(folder: str, run: str) -> str:
    return run if folder == "." else f"{folder}/{run}"
