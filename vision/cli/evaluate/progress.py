"""How far `vision evaluate` is: a bar on a terminal, otherwise a line every 30 seconds.

>>> with EvaluationProgress() as progress:
...     list(progress.track([1, 2], "occlusion", total=2))
[1, 2]
"""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vision.cli.stderr import tell

SECONDS_BETWEEN_LINES = 30.0

T = TypeVar("T")


class EvaluationProgress:
    """Shows the progress of one evaluation after the other on standard error."""

    def __init__(self) -> None:
        errors = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._lines = not errors.is_terminal
        self._bar = Progress(*columns, console=errors, transient=True, disable=self._lines)

    def __enter__(self) -> "EvaluationProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def track(self, items: Iterable[T], name: str, *, total: int) -> Iterator[T]:
        """Yield the items of an evaluation, and count them."""
        task, start = self._bar.add_task(name, total=total), time.monotonic()
        last = start
        for done, item in enumerate(items, start=1):
            yield item
            self._bar.advance(task)
            now = time.monotonic()
            if self._lines and now - last > SECONDS_BETWEEN_LINES:
                last = now
                tell(f"{name}: {done} of {total}, about {(now - start) * (total - done) / done:.0f} s left")
        self._bar.remove_task(task)
