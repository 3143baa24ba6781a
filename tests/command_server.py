"""Run `vision` commands one after the other in one process: the fixture `vision` talks to it.

Each command would otherwise pay for its own start: the imports of torch and Hydra take seconds. The tests
cannot run the commands in their own process, because `vision train` changes it. Hydra keeps global state, and
a run sets the number of threads.
"""

import contextlib
import io
import multiprocessing
import os
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from commands import Done

from vision.cli import main
from vision.cli.train.worker import shared_worker


class CommandServer:
    """A process for commands, forked from this one: it need not import again what this one has imported."""

    def __init__(self) -> None:
        # A process that is forked cannot use CUDA, so where there is a GPU it imports all again.
        has_gpu = torch.cuda.is_available()
        context = multiprocessing.get_context("spawn") if has_gpu else multiprocessing.get_context("fork")
        self._pipe, end = context.Pipe()
        self._process = context.Process(target=_serve, args=(end, self._pipe))
        self._process.start()
        end.close()

    def run(self, folder: Path, *arguments: str, **variables: str) -> Done:
        """Run a command in a folder, with further variables in its environment."""
        self._pipe.send((folder, arguments, variables))
        return self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()


def _serve(pipe: Connection, callers_end: Connection) -> None:
    callers_end.close()
    unchanged = dict(os.environ)
    with contextlib.suppress(EOFError):
        while True:
            folder, arguments, variables = pipe.recv()
            os.chdir(folder)
            os.environ.update(variables)
            pipe.send(run(arguments))
            os.environ.clear()
            os.environ.update(unchanged)
    shared_worker().close()


def run(arguments: list[str]) -> Done:
    """Run one command in this process; an exception is printed as Python would print it."""
    out, err, status = io.StringIO(), io.StringIO(), 1
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except Exception:
            traceback.print_exc()
    return Done(status, out.getvalue(), err.getvalue())
