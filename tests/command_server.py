"""Run `vision` commands one after the other in one process: the fixture `vision` talks to it.

Each command would otherwise pay for its own start: the imports of torch and Hydra take seconds. The tests
cannot run the commands in their own process, because `vision train` changes it. Hydra keeps global state, and
a run sets the number of threads. What must find nothing of the commands before runs in a copy of that
process: the fixture `program`.
"""

import contextlib
import io
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, SpawnContext
from pathlib import Path

import torch
from commands import Done

import vision.data
import vision.experiment
import vision.plots
import vision.report
import vision.reuse  # noqa: F401  # what most commands import
from vision.cli import main
from vision.cli.train.worker import shared_worker


class CommandServer:
    """A process for commands, forked from this one: it need not import again what this one has imported."""

    def __init__(self) -> None:
        context = _context()
        self._pipe, end = context.Pipe()
        self._process = context.Process(target=_serve, args=(end, self._pipe))
        self._process.start()
        end.close()

    def run(self, folder: Path, *arguments: str, **variables: str) -> Done:
        """Run a command in a folder, with further variables in its environment."""
        self._pipe.send((run, folder, (arguments,), variables))
        return self._pipe.recv()

    def run_program(self, folder: Path, program: str, *arguments: str, **variables: str) -> Done:
        """Run `vision ARGUMENTS` or `python -c CODE` in a process that ends with it."""
        function = {"vision": run, "python": _run_code}[program]
        self._pipe.send((_run_in_copy, folder, (function, arguments), variables))
        return self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()


def _context() -> SpawnContext | ForkContext:
    # A process that is forked cannot use CUDA, so where there is a GPU it imports all again.
    has_gpu = torch.cuda.is_available()
    return multiprocessing.get_context("spawn") if has_gpu else multiprocessing.get_context("fork")


def _serve(pipe: Connection, callers_end: Connection) -> None:
    callers_end.close()
    unchanged = dict(os.environ)
    with contextlib.suppress(EOFError):
        while True:
            function, folder, arguments, variables = pipe.recv()
            os.chdir(folder)
            os.environ.update(variables)
            pipe.send(function(*arguments))
            os.environ.clear()
            os.environ.update(unchanged)
    _end_workers()


def run(arguments: Sequence[str]) -> Done:
    """Run one command in this process; an exception is printed as Python would print it."""
    return _captured(lambda: main(arguments))


def _run_code(arguments: Sequence[str]) -> Done:
    option, code = arguments
    assert option == "-c"
    sys.path.insert(0, "")  # as Python does
    return _captured(lambda: exec(code, {"__name__": "__main__"}))


def _captured(call: Callable[[], int | None]) -> Done:
    out, err, status = io.StringIO(), io.StringIO(), 1
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = call() or 0
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except Exception:
            traceback.print_exc()
    return Done(status, out.getvalue(), err.getvalue())


def _run_in_copy(function: Callable[[Sequence[str]], Done], arguments: Sequence[str]) -> Done:
    context = _context()
    pipe, end = context.Pipe()
    process = context.Process(target=_answer, args=(end, function, arguments))
    process.start()
    end.close()
    try:
        return pipe.recv()
    except EOFError:  # it has ended without an answer
        process.join()
        return Done(process.exitcode or 0, "", f"it ended with exit status {process.exitcode}")
    finally:
        process.join()


def _answer(pipe: Connection, function: Callable[[Sequence[str]], Done], arguments: Sequence[str]) -> None:
    shared_worker.cache_clear()  # it answers the process of which this is a copy
    pipe.send(function(arguments))
    _end_workers()


def _end_workers() -> None:
    """End the processes that commands keep for the next one: joblib's would be waited for 5 minutes."""
    shared_worker().close()
    if "joblib" in sys.modules:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(kill_workers=True)
