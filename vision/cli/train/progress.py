"""What the user sees while runs go on: a bar or lines for a long run, and a line for each finished one."""

import json
import os
import sys
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from vision import results
from vision.cli.stderr import tell
from vision.config import RunConfig, this_process_of_run
from vision.dynamic import JsonObject

if TYPE_CHECKING:
    from vision.cli.train.progress_bar import RunBar

SWEEP = "VISION_SWEEP"
SECONDS_BETWEEN_LINES, SECONDS_BEFORE_BAR = 10.0, 1.0


def announce(folders: Sequence[Path], *, finished: int, failed: int) -> None:
    """Print how many runs a sweep has to do, and pass it on to its runs."""
    total = len(folders)
    again = f"{failed} failed before or damaged (retry_failed=true runs them again), " if failed else ""
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
    counted |= {"later": later, "started": time.time(), "process": os.getpid()}
    os.environ[SWEEP] = json.dumps(counted)


class Progress:
    """Reports one run on stderr, and has a line at its end.

    On a terminal a long run has a bar, if it is computed by the process of the command. Elsewhere it has a
    line for each epoch, but at most one every 10 s.
    """

    def __init__(self, config: RunConfig) -> None:
        self._sweep = json.loads(os.environ[SWEEP]) if SWEEP in os.environ else None
        self._config = config
        self._known: JsonObject = {}
        self._started = self._last = time.perf_counter()
        self._epoch = 0
        is_alone = self._sweep is None or self._sweep["process"] == os.getpid()
        self._has_bar = is_alone and sys.stderr.isatty() and not this_process_of_run().rank
        self._bar: RunBar | None = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._close_bar()

    @property
    def in_sweep(self) -> bool:
        """Whether the run is one of several."""
        return self._sweep is not None

    def __call__(self, record: JsonObject) -> None:
        """Show the figures of a step, or of a validation, or say what the model is."""
        if "about" in record:
            self.line(record["about"])
            return
        self._known |= record
        if self._has_bar:
            self._show_bar()
            return
        epoch = int(record.get("epoch", 0))
        if epoch > self._epoch and _is_time(self._last, SECONDS_BETWEEN_LINES):
            self._last, self._epoch = time.perf_counter(), epoch
            step = f"step {self._known['step']}/{self._known['steps']}"
            self.line(", ".join((f"epoch {epoch}", step, *self._figures())))

    def _show_bar(self) -> None:
        if self._bar is None and _is_time(self._started, SECONDS_BEFORE_BAR):
            from vision.cli.train.progress_bar import RunBar

            self._bar = RunBar(self._name)
        if self._bar:
            figures = ", ".join(self._figures())
            self._bar.update(step=self._known["step"], steps=self._known["steps"], figures=figures)

    def _close_bar(self) -> None:
        if self._bar:
            self._bar.close()
            self._bar = None

    def _figures(self) -> list[str]:
        known = {name: self._known.get(name) for name in ("train_loss", "val_accuracy")}
        return [f"{name} {value:.3f}" for name, value in known.items() if value is not None]

    def finish(self, result: JsonObject) -> None:
        """Print the result of the run, and the progress of the sweep."""
        if this_process_of_run().rank:
            return
        self._close_bar()
        how = (
            "finished before" if result["skipped"] else f"after {result['train_seconds']:.1f} s{self._left()}"
        )
        self.line(f"test accuracy {result['test_accuracy']:.3f} {how}")
        if not self.in_sweep:
            print(result["folder"])

    def fail(self, error: str) -> None:
        """Print why the run failed and where its traceback is."""
        self._close_bar()
        where = results.run_folder(self._config) / results.FAILURE
        kept = f" (traceback in {where})" if where.exists() else ""
        self.line(f"failed: {error}{kept}")

    def line(self, text: str) -> None:
        """Print a line about the run, in the first of its processes."""
        if this_process_of_run().rank:
            return
        tell(f"{self._name}: {text}")

    @property
    def _name(self) -> str:
        label = self._config.model.label or self._config.model.name
        return f"{label} n={self._config.train_size} seed={self._config.seed}"

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


def _is_time(since: float, seconds: float) -> bool:
    return time.perf_counter() - since >= seconds


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(90), duration(600), duration(50_000)
    ('90 s', '10 min', '14 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
