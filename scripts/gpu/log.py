"""One log for all processes: a line has the time and the name of its process.

>>> log = Log(Path("log.txt"))  # doctest: +SKIP
>>> log.say("tests", "12 passed")  # doctest: +SKIP
"""

import threading
import time
from pathlib import Path

MAX_BYTES = 12 * 2**20  # what a machine hands back may be limited to 16 MiB a file


class Log:
    """Append lines to a file from several threads, and print the important ones.

    Args:
        path: the file; lines beyond `MAX_BYTES` are dropped.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1, errors="replace")
        self._lock, self._start = threading.Lock(), time.monotonic()

    def write(self, name: str, line: str) -> None:
        """Add one line to the file."""
        with self._lock:
            if self._file.tell() < MAX_BYTES:
                self._file.write(f"{self._stamp()} [{name}] {line.rstrip()}\n")

    def say(self, name: str, line: str) -> None:
        """Add one line to the file and print it."""
        self.write(name, line)
        print(f"{self._stamp()} {name}: {line}", flush=True)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _stamp(self) -> str:
        return f"{time.strftime('%H:%M:%S')} {time.monotonic() - self._start:6.1f}s"
