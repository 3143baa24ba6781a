"""The state of each run of a sweep.

>>> status(Path("outputs/demo"))["failed"]  # doctest: +SKIP
[]
"""

import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from vision.results.claim import PARTIAL, attempts, read_holder
from vision.results.convergence import undertrained
from vision.results.files import LOCK
from vision.results.index import index
from vision.results.plan import read_plan
from vision.results.progress import Progress, read_progress
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


class RunningRun(NamedTuple):
    """A run that goes on.

    Attributes:
        holder: the process that computes it.
        step, steps, steps_per_second: as in `Progress`.
        silent: seconds since its last heartbeat. They depend on clocks, so they are for reading only; see
            `Watch`.
    """

    holder: str
    step: int
    steps: int
    steps_per_second: float
    silent: float

    def __str__(self) -> str:
        step = f", step {self.step} of {self.steps}" if self.steps else ""
        speed = f", {self.steps_per_second:.3g} steps/s" if self.steps_per_second else ""
        return f"{self.holder}{step}{speed}"


def progress_of(run: Path) -> RunningRun:
    """Return who computes a run, and how far it is."""
    found = attempts(run)
    if not found:
        return RunningRun("another process", *Progress(), silent=0.0)
    beat = now = time.time()
    with suppress(OSError):
        beat = (found[-1] / LOCK).stat().st_mtime
    holder = str(read_holder(found[-1]) or "another process")
    return RunningRun(holder, *read_progress(found[-1]), silent=max(0.0, now - beat))


def _may_be_alive(attempt: Path) -> bool:
    holder = read_holder(attempt)
    return attempt.exists() and (holder is None or holder.is_alive() is not False)


def _below(folder: str, run: str) -> str:
    return run if folder == "." else f"{folder}/{run}"
