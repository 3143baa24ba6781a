"""How far a run is, in a small file that its heartbeat writes.

>>> read_progress(Path("outputs/demo/ViT/n100/s0.partial-1")).step  # doctest: +SKIP
120
"""

import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from vision.results.files import PROGRESS


class Progress(NamedTuple):
    """How far a run is.

    Attributes:
        step: optimizer steps made.
        steps: those of the whole training.
        steps_per_second: since the process that computes it began; 0 if that is not known yet.
    """

    step: int = 0
    steps: int = 0
    steps_per_second: float = 0.0


class RunProgress:
    """The progress of the run of this process.

    Args:
        folder: of the attempt.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._lock = folder / PROGRESS, threading.Lock()
        self._first: tuple[int, float] | None = None
        self._now = Progress()
        self._has_ended = False

    def note(self, step: int, steps: int) -> None:
        """Keep the step in memory; this costs next to nothing."""
        now = time.monotonic()
        self._first = self._first or (step, now)
        seconds = now - self._first[1]
        self._now = Progress(step, steps, (step - self._first[0]) / seconds if seconds > 0 else 0.0)

    def write(self) -> None:
        """Write what was noted last.

        Raises:
            OSError: the disk is full, or cannot be reached.
        """
        with self._lock:
            if self._now.steps and not self._has_ended:
                self._path.write_text(json.dumps(self._now._asdict()))

    def end(self) -> None:
        """Remove the file, and write no more."""
        with self._lock, suppress(OSError):
            self._has_ended = True
            self._path.unlink(missing_ok=True)


def read_progress(attempt: Path) -> Progress:
    """Return the progress of an attempt; zeros where none can be read."""
    with suppress(OSError, ValueError, TypeError):
        return Progress(**json.loads((attempt / PROGRESS).read_text()))
    return Progress()
