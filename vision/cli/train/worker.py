"""A process that calls functions one after another. If one ends the process, the caller learns how.

Runs are computed in such a process. So a run that calls os._exit, crashes or is killed for its memory ends
neither the sweep nor the launcher's own process. It is kept between runs, which therefore share imports and
data that are in memory.

>>> shared_worker().call(run, config, on_progress=print)  # doctest: +SKIP
"""

import atexit
import faulthandler
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import vision
from vision.dynamic import JsonObject
from vision.results import RunDied
from vision.text import type_and_text

Result = TypeVar("Result")
SECONDS_BETWEEN_REPORTS, SECONDS_BETWEEN_LOOKS = 0.5, 1.0
SECONDS_FOR_STATE = 30.0
OF_A_STEP = {"step", "steps", "epoch"}
_python_format = warnings.formatwarning
INTERRUPTED = (-signal.SIGINT, -signal.SIGTERM)


class CallFailed(RuntimeError):
    """The function raised an error. `details` is its traceback."""

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.details)


class Worker:
    """A process for calls; it starts with the first one, and again after it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        atexit.register(self.close)

    def call(
        self,
        function: Callable[..., Result],
        *arguments: object,
        on_progress: Callable[[JsonObject], None] | None = None,
    ) -> Result:
        """Return what a function of a module returns; functions and arguments are pickled.

        Args:
            function: it is called in the caller's folder, with the caller's sys.path.
            arguments: its arguments.
            on_progress: called here with what the function gives its last argument, a function.

        Raises:
            RunDied: the process ended; the message names how.
            CallFailed: the function raised an error that is not one of this package.
            Exception: the function raised it; it is of this package, or a ValueError or OSError.
        """
        try:
            return self._call(function, arguments, on_progress)
        except (KeyboardInterrupt, SystemExit):  # by a signal: it was asked to end, perhaps by Slurm
            self.close()
            raise

    @property
    def pid(self) -> int | None:
        """The number of the process; None if there is none."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process, whatever it does; a run keeps its state first."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(SECONDS_FOR_STATE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _call(
        self,
        function: Callable[..., Result],
        arguments: tuple[object, ...],
        on_progress: Callable[[JsonObject], None] | None,
    ) -> Result:
        process, pipe = self._started()
        with suppress(BrokenPipeError):
            pipe.send((os.getcwd(), sys.path, function, arguments, on_progress is not None))
        while process.poll() is None or pipe.poll():
            # Processes that the worker started may keep its end of the pipe open, so its death is looked for.
            if not pipe.poll(SECONDS_BETWEEN_LOOKS):
                continue
            try:
                kind, content = pipe.recv()
            except (EOFError, ConnectionResetError):
                break
            if kind == "progress" and on_progress is not None:
                on_progress(content)
            elif kind == "returned":
                return content
            else:
                raise content
        status = process.wait()
        self._process = None
        raise RunDied(status, _how_it_ended(status))

    def _started(self) -> tuple[subprocess.Popen[bytes], Connection]:
        if self._process is None or self._process.poll() is not None:
            # A plain process: those of multiprocessing depend on the launcher that this one belongs to.
            self._pipe, other_end = Pipe()
            end = other_end.fileno()
            start = f"from vision.cli.train.worker import serve; serve({end})"
            code = f"import sys; sys.path[:] = {sys.path!r}; {start}"
            command = [sys.executable, "-P", "-c", code]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[end])
            other_end.close()
        assert self._pipe is not None
        return self._process, self._pipe


@lru_cache(maxsize=1)
def shared_worker() -> Worker:
    """Return the worker of this process."""
    return Worker()


def serve(end: int) -> None:
    """Answer the calls that come through a pipe, given by the number of its end, until it is closed."""
    pipe = Connection(end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the caller, who decides
    for name in ("SIGUSR1", "SIGUSR2"):  # they have a run keep its state, and do not end the process
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    faulthandler.enable()
    warnings.formatwarning = _formatted
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    while True:
        try:
            folder, sys.path[:], function, arguments, reports = pipe.recv()
        except (EOFError, OSError):
            return
        os.chdir(folder)
        try:
            extra = (_Reporter(pipe),) if reports else ()
            answer = ("returned", function(*arguments, *extra))
        except BaseException as error:  # KeyboardInterrupt too, as Ctrl-C is ignored here
            answer = ("raised", _sendable(error))
        with suppress(OSError):  # the caller has died, and this process ends with the next call
            pipe.send(answer)


class _Reporter:
    """Sends progress to the caller, but not every step of a fast model."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._last = pipe, 0.0

    def __call__(self, progress: JsonObject) -> None:
        if not progress.keys() <= OF_A_STEP or time.monotonic() - self._last > SECONDS_BETWEEN_REPORTS:
            self._last = time.monotonic()
            with suppress(BrokenPipeError):  # the caller has died, and this process ends soon
                self._pipe.send(("progress", progress))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_REPORTS)
    os.kill(os.getpid(), signal.SIGTERM)  # a run keeps its state first
    time.sleep(SECONDS_FOR_STATE)
    os.kill(os.getpid(), signal.SIGKILL)


def _formatted(
    message: Warning | str, category: type[Warning], file: str, line: int, code: str | None = None
) -> str:
    """Format a warning as Python does, but one of this package as its sentence alone."""
    if Path(file).is_relative_to(Path(vision.__file__).parent):
        return f"{message}\n"
    return _python_format(message, category, file, line, code)


def _sendable(error: BaseException) -> BaseException:
    """Return an error that the caller can unpickle without importing what raised it."""
    if type(error).__module__.startswith("vision.results") or type(error) in (ValueError, FileNotFoundError):
        with suppress(Exception):
            return pickle.loads(pickle.dumps(error))
    return CallFailed(type_and_text(error), "".join(traceback.format_exception(error)))


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"its process ended with exit status {status}"
    name = signal.Signals(-status).name
    memory = ", as the system does when memory runs out" if -status == signal.SIGKILL else ""
    return f"its process was ended by {name}{memory}"
