"""How long a sweep will still take.

>>> TimeLeft([Path("outputs/demo")], started=time.time() - 60).seconds()  # doctest: +SKIP
420.0
>>> makespan([10.0, 20.0], [30.0, 5.0])  # 10 + 30, while the other process does 20 + 5
40.0
"""

import heapq
import time
from collections.abc import Sequence
from pathlib import Path

from vision.results.durations import Durations
from vision.results.files import FAILURE, RESULT, read_json
from vision.results.index import index
from vision.results.plan import read_plan
from vision.results.states import progress_of
from vision.results.walk import walk


class TimeLeft:
    """The time that the runs of one issue of a sweep need, for the command that computes them.

    What the runs need one by one is divided by how many seconds of training were done in each second so far.

    Args:
        sweeps: the sweep's folders, with their plans.
        started: when the sweep was issued, as time.time() returns it.
    """

    def __init__(self, sweeps: Sequence[Path], started: float) -> None:
        self._started, self._durations = started, Durations()
        self._left = {sweep / run: macs for sweep in sweeps for run, macs in read_plan(sweep).work.items()}

    def seconds(self, *, later: int = 0) -> float | None:
        """Return the seconds from now on, with `later` more runs that are not planned yet.

        None until a run has finished.
        """
        for run in list(self._left):
            if (run / RESULT).exists():
                self._count(run, self._left.pop(run))
            elif (run / FAILURE).exists():
                del self._left[run]
        trained, elapsed = self._durations.total, time.time() - self._started
        if not trained or elapsed <= 0:
            return None
        planned = [self._durations.expected(str(run), work=macs) or 0.0 for run, macs in self._left.items()]
        return (sum(planned) + later * trained / self._durations.count) * elapsed / trained

    def _count(self, run: Path, macs: float) -> None:
        try:
            seconds = float(read_json(run / RESULT)["train_seconds"])
        except (ValueError, OSError, KeyError, TypeError):
            return  # the record is damaged, which is reported elsewhere
        self._durations.add(str(run), seconds, work=macs)


class TimeLeftOfOthers:
    """The time that a sweep needs which other processes compute, from what is in its folder.

    Each process that is at work takes the next run when it has finished one. What it still needs for the
    present one follows from its speed.

    Args:
        sweep: the sweep's folder, or one that contains several.
    """

    def __init__(self, sweep: Path) -> None:
        self._sweep, self._counted = sweep, -1
        self._durations, self._work = Durations(), dict[str, float]()

    def seconds(self, *, running: Sequence[str], missing: Sequence[str], finished: int) -> float | None:
        """Return the seconds from now on; with no run going on, those that one process would need.

        None until a run has finished.

        Args:
            running: folders of the runs that go on, relative to the sweep's.
            missing: those of the runs that have not begun.
            finished: the number of finished runs.
        """
        if finished != self._counted:
            self._counted = finished
            self._learn()
        waiting = [self._durations.expected(run, work=self._work.get(run, 0.0)) for run in missing]
        present = [self._left_of(run) for run in running] or [0.0]
        known = [seconds for seconds in (*waiting, *present) if seconds is not None]
        if len(known) < len(waiting) + len(present):
            return None
        return makespan(known[len(waiting) :], known[: len(waiting)])

    def _learn(self) -> None:
        found = walk(self._sweep)
        for plan in found.plans:
            below = "" if plan == "." else f"{plan}/"
            self._work |= {f"{below}{run}": macs for run, macs in read_plan(self._sweep / plan).work.items()}
        self._durations = Durations()
        for run in index(self._sweep, found.finished, records=False):
            if run.seconds is not None and not run.damage:
                self._durations.add(run.folder, run.seconds, work=self._work.get(run.folder, 0.0))

    def _left_of(self, run: str) -> float | None:
        now = progress_of(self._sweep / run)
        if now.steps_per_second:
            return (now.steps - now.step) / now.steps_per_second
        return self._durations.expected(run, work=self._work.get(run, 0.0))


def makespan(present: Sequence[float], waiting: Sequence[float]) -> float:
    """Return when all runs are done, if each process takes the longest waiting run once it is free.

    Args:
        present: the seconds after which each process is free.
        waiting: the seconds of each run that waits.
    """
    free = list(present)
    heapq.heapify(free)
    for seconds in sorted(waiting, reverse=True):
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)
