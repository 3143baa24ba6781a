"""The table of `vision status --watch`: runs by model and size, those that go on, and the time left.

>>> StatusTable(Path("outputs/demo")).render(results.status(Path("outputs/demo")))  # doctest: +SKIP
"""

from collections import Counter
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vision import results
from vision.cli.stderr import printable
from vision.cli.train.progress import duration

MARKS = {"finished": "", "running": " running", "failed": " failed", "damaged": " damaged"}
MOST_LINES = 10


class StatusTable:
    """A table that keeps what it learned of the time that runs take."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._time = folder, results.TimeLeftOfOthers(folder)

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
        return f"running {run}: {results.progress_of(self._folder / run)}"

    def _failed(self, run: str) -> str:
        return f"failed {run}: {results.why_failed(self._folder / run).splitlines()[-1]}"

    def _left(self, states: dict[str, list[str]]) -> str:
        running, missing = states["running"], states["missing"]
        if not running and not missing:
            return "no run is left"
        left = f"{len(running) + len(missing)} runs are left"
        at_once = f"with {len(running)} at once" if running else "for one process; none is at work"
        seconds = self._time.seconds(running=running, missing=missing, finished=len(states["finished"]))
        return left if seconds is None else f"{left}, about {duration(seconds)} {at_once}"


def _cell(states: Counter[str]) -> str:
    total = sum(states.values())
    others = "".join(f", {states[state]}{mark}" for state, mark in MARKS.items() if mark and states[state])
    return f"{states['finished']}/{total}{others}" if total else ""


def _size(text: str) -> tuple[bool, int, str]:
    number = text.removeprefix("n")
    return (not number.isdecimal(), int(number) if number.isdecimal() else 0, text)
