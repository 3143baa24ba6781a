"""Processes with a time limit; at the limit the process is killed with everything that it started.

>>> Process([sys.executable, "-c", "pass"], "nothing", log).wait(10)  # doctest: +SKIP
0
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from gpu.log import Log

ROOT = Path(__file__).parents[2]
GRACE_SECONDS = 2.0
TIMED_OUT = "killed at its time limit"
_running: "set[Process]" = set()


def environment(**added: str) -> dict[str, str]:
    """Return this process's environment with the folder of the project and its scripts on PYTHONPATH."""
    paths = [str(ROOT), str(ROOT / "scripts"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONUNBUFFERED": "1",
        **added,
    }


class Process:
    """A command in a process group of its own, whose output goes to the log line by line.

    Args:
        command: program and arguments; it runs in the project's folder.
        name: of the process in the log.
        log: where its output goes.
        answers: called with each line of standard output, which then is not logged.
        env: added to the environment.
    """

    def __init__(
        self,
        command: Sequence[str],
        name: str,
        log: Log,
        *,
        answers: Callable[[str], None] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.tail = name, ""
        self._log = log
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(**(env or {})),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        assert self._process.stdout and self._process.stderr
        streams = ((self._process.stdout, answers or self._keep), (self._process.stderr, self._keep))
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in streams]
        _running.add(self)
        for reader in self._readers:
            reader.start()

    @property
    def last_words(self) -> str:
        """The last line that the process wrote, then what came before it."""
        lines = self.tail.strip().splitlines() or [""]
        return "\n".join([lines[-1], *lines[-12:-1]])

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def tell(self, line: str) -> bool:
        """Write a line to the process's standard input; False where it has ended."""
        assert self._process.stdin
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def wait(self, seconds: float) -> int | None:
        """Return the exit status, or None where the process was killed after `seconds`."""
        try:
            status = self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self._log.write(self.name, f"{TIMED_OUT}, {seconds:.0f} s")
            status = None
        self.kill()
        return status

    def kill(self) -> None:
        """End the process and its whole group, if anything of it is left."""
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:  # stuck in the driver: it is left behind
            self._log.write(self.name, "does not end, even killed")
        for reader in self._readers:
            reader.join(GRACE_SECONDS)
        assert self._process.stdin
        with suppress(OSError):  # what was not sent to a process that has ended
            self._process.stdin.close()
        _running.discard(self)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _read(self, stream: IO[str], answers: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                answers(line)

    def _keep(self, line: str) -> None:
        self.tail = f"{self.tail}{line}"[-4000:]
        self._log.write(self.name, line)


class Clock:
    """Seconds that are left of a budget.

    Args:
        seconds: the budget, from now on.
        whole: a clock that this one never outlasts.
    """

    def __init__(self, seconds: float, whole: "Clock | None" = None) -> None:
        self._end, self._whole = time.monotonic() + seconds, whole

    @property
    def left(self) -> float:
        """Seconds until the end, negative past it."""
        left = self._end - time.monotonic()
        return min(left, self._whole.left) if self._whole else left

    def share(self, part: float) -> "Clock":
        """Return a clock for this part of what is left."""
        return Clock(part * self.left, self)

    def stop(self) -> None:
        """Leave no time."""
        self._end = time.monotonic()


def kill_all() -> None:
    """Kill every process that has not ended, so that whoever waits for one goes on."""
    for process in list(_running):
        process.kill()


def python(*arguments: str) -> list[str]:
    """Return the command that runs this Python with these arguments."""
    return [sys.executable, *arguments]
