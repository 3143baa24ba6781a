"""What the user sees while runs are going: the progress of a long run, and one line per finished run."""

import json
import os
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from vision import results
from vision.cli.stderr import tell
from vision.config import RunConfig, this_process_of_run
from vision.dynamic import JsonObject

SWEEP = "VISION_SWEEP"
SECONDS_BETWEEN_LINES = 10.0


def announce(folders: Sequence[Path], *, finished: int, failed: int) -> None:
    """Print how many runs a sweep has to do, and pass it on to its runs."""
    total = len(folders)
    again = f"{failed} failed before (retry_failed=true runs them again), " if failed else ""
    to_do = total - finished - failed
    tell(f"{total} runs, {finished} finished before, {again}{to_do} to do")
    pass_on(folders, before=finished + failed, total=total)


def pass_on(folders: Sequence[Path], *, before: int, total: int, later: int = 0) -> None:
    """Pass the size of a sweep on to its runs, which may be other processes.

    Args:
        folders: of the runs that are planned.
        before: how many of the sweep have finished or failed.
        total: how many it has.
        later: how many of these are not planned yet.
    """
    sweeps = sorted({str(folder.parents[2]) for folder in folders})
    counted = {"total": total, "before": before, "sweeps": sweeps, "there": _results(sweeps)}
    os.environ[SWEEP] = json.dumps({**counted, "later": later, "started": time.time()})


class Progress:
    """Reports one run on stderr: a line every 10 s while it goes, and one at its end."""

    def __init__(self, config: RunConfig) -> None:
        self._sweep = json.loads(os.environ[SWEEP]) if SWEEP in os.environ else None
        self._config = config
        self._known: JsonObject = {}
        self._last = time.perf_counter()

    @property
    def in_sweep(self) -> bool:
        """Whether the run is one of several."""
        return self._sweep is not None

    def __call__(self, record: JsonObject) -> None:
        """Store the figures of a step, and print a line if the last one is old, or what the model is."""
        if "about" in record:
            self.line(record["about"])
            return
        self._known |= record
        if time.perf_counter() - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = time.perf_counter()
        figures = [f"step {self._known['step']}/{self._known['steps']}"]
        for name in ("train_loss", "val_accuracy"):
            if self._known.get(name) is not None:
                figures.append(f"{name} {self._known[name]:.3f}")
        self.line(", ".join(figures))

    def finish(self, result: JsonObject) -> None:
        """Print the result of the run, and the progress of the sweep."""
        if this_process_of_run().rank:
            return
        how = (
            "finished before" if result["skipped"] else f"after {result['train_seconds']:.1f} s{self._left()}"
        )
        self.line(f"test accuracy {result['test_accuracy']:.3f} {how}")
        if not self.in_sweep:
            print(result["folder"])

    def fail(self, error: str) -> None:
        """Print why the run failed and where its traceback is."""
        where = results.run_folder(self._config) / results.FAILURE
        kept = f" (traceback in {where})" if where.exists() else ""
        self.line(f"failed: {error}{kept}")

    def line(self, text: str) -> None:
        """Print a line about the run, in the first of its processes."""
        if this_process_of_run().rank:
            return
        label = self._config.model.label or self._config.model.name
        tell(f"{label} n={self._config.train_size} seed={self._config.seed}: {text}")

    def _left(self) -> str:
        if self._sweep is None:
            return ""
        new = _results(self._sweep["sweeps"]) - self._sweep["there"]
        done, total = self._sweep["before"] + new, self._sweep["total"]
        left = _time_left(tuple(self._sweep["sweeps"]), self._sweep["started"])
        seconds = left.seconds(later=self._sweep["later"])
        words = "" if seconds is None else f", about {duration(seconds)} left"
        return f" [{done}/{total}{words}]"


@lru_cache(maxsize=1)
def _time_left(sweeps: tuple[str, ...], started: float) -> results.TimeLeft:
    return results.TimeLeft([Path(sweep) for sweep in sweeps], started)


def _results(sweeps: Sequence[str]) -> int:
    """Return the number of finished runs in the folders of these sweeps."""
    return sum(1 for sweep in sweeps for _ in Path(sweep).glob(f"*/*/*/{results.RESULT}"))


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(90), duration(600), duration(50_000)
    ('90 s', '10 min', '14 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
