"""The table of `vision status --watch`: runs by model and size, those that go on, and the time left.

>>> StatusTable(Path("outputs/demo")).render(results.status(Path("outputs/demo")))  # doctest: +SKIP
"""

import time
from collections import Counter
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vision import results
from vision.cli.stderr import printable

MARKS = {"finished": "", "running": " running", "failed": " failed", "damaged": " damaged"}
MOST_LINES = 10


class StatusTable:
    """A table that knows when it was first drawn, and so how fast runs are finished."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._first: tuple[float, int] | None = None
        self._steps: dict[str, tuple[float, int]] = {}

    def render(self, states: dict[str, list[str]]) -> RenderableType:
        """Return the table, a line for each run that goes on or has failed, and the time left."""
        running = [self._running(run) for run in states["running"][:MOST_LINES]]
        failed = [self._failed(run) for run in states["failed"][:MOST_LINES]]
        lines = [*running, *failed, self._left(states)]
        return Group(self._table(states), *(Text(printable(line)) for line in lines if line))

    def _table(self, states: dict[str, list[str]]) -> Table:
        counts: dict[tuple[str, str], Counter[str]] = {}
        for state, runs in states.items():
            for run in runs:
                label, size = (["", "", *run.split("/")])[-3:-1]
                counts.setdefault((label, size), Counter())[state] += 1
        sizes = sorted({size for _, size in counts}, key=_size)
        table = Table("model", *(size.removeprefix("n") for size in sizes), box=SIMPLE_HEAD)
        for label in dict.fromkeys(label for label, _ in sorted(counts)):
            cells = [_cell(counts.get((label, size), Counter())) for size in sizes]
            table.add_row(Text(printable(label)), *cells)
        return table

    def _running(self, run: str) -> str:
        holder, step, _ = results.progress_of(self._folder / run)
        before = self._steps.get(run)
        self._steps[run] = (time.monotonic(), step)
        if before is None or step <= before[1]:
            return f"running {run}: step {step}, {holder}"
        speed = (step - before[1]) / (time.monotonic() - before[0])
        return f"running {run}: step {step}, {speed:.1f} steps/s, {holder}"

    def _failed(self, run: str) -> str:
        return f"failed {run}: {results.why_failed(self._folder / run).splitlines()[-1]}"

    def _left(self, states: dict[str, list[str]]) -> str:
        finished, left = len(states["finished"]), len(states["missing"]) + len(states["running"])
        self._first = self._first or (time.monotonic(), finished)
        new, seconds = finished - self._first[1], time.monotonic() - self._first[0]
        if not left:
            return "no run is left"
        if not new:
            return f"{left} runs are left"
        return f"{left} runs are left, about {seconds / new * left / 60:.0f} min at the present speed"


def _cell(states: Counter[str]) -> str:
    total = sum(states.values())
    others = "".join(f", {states[state]}{mark}" for state, mark in MARKS.items() if mark and states[state])
    return f"{states['finished']}/{total}{others}" if total else ""


def _size(text: str) -> tuple[bool, int, str]:
    number = text.removeprefix("n")
    return (not number.isdecimal(), int(number) if number.isdecimal() else 0, text)
