"""How long a sweep will still take, from the work of its runs and the time of those that have finished.

>>> TimeLeft([Path("outputs/demo")], started=time.time() - 60).seconds()  # doctest: +SKIP
420.0
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from vision.results.files import FAILURE, RESULT, read_json
from vision.results.plan import read_plan


class TimeLeft:
    """The time that the runs of one issue of a sweep need.

    The seconds for each multiply-add are those of the finished runs of the same model, or of all. What the
    runs need one by one is divided by how many seconds of training were done in each second so far.

    Args:
        sweeps: the sweep's folders, with their plans.
        started: when the sweep was issued, as time.time() returns it.
    """

    def __init__(self, sweeps: Sequence[Path], started: float) -> None:
        self._started = started
        self._left = {sweep / run: macs for sweep in sweeps for run, macs in read_plan(sweep).work.items()}
        # Of finished runs, by model.
        self._seconds, self._work = defaultdict[str, float](float), defaultdict[str, float](float)

    def seconds(self) -> float | None:
        """Return the seconds from now on; None until a run has finished."""
        for run in list(self._left):
            if (run / RESULT).exists():
                self._count(run, self._left.pop(run))
            elif (run / FAILURE).exists():
                del self._left[run]
        trained, elapsed = sum(self._seconds.values()), time.time() - self._started
        if not trained or elapsed <= 0:
            return None
        return sum(self._expected(run, macs) for run, macs in self._left.items()) * elapsed / trained

    def _count(self, run: Path, macs: float) -> None:
        try:
            seconds = float(read_json(run / RESULT)["train_seconds"])
        except (ValueError, OSError, KeyError, TypeError):
            return  # the record is damaged, which others tell
        self._seconds[_model(run)] += seconds
        self._work[_model(run)] += macs

    def _expected(self, run: Path, macs: float) -> float:
        model = _model(run)
        if self._work[model]:
            return macs * self._seconds[model] / self._work[model]
        return macs * sum(self._seconds.values()) / max(1.0, sum(self._work.values()))


def _model(run: Path) -> str:
    return run.parts[-3]
