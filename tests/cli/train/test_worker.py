"""The process that computes runs: how it ends is told, it starts again, and it never outlives its caller."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vision.cli.train.worker import CallFailed, Worker
from vision.results import RunDied

HOW_IT_ENDS = {
    "exits": (os._exit, 3, "its process ended with exit status 3"),
    "crashes": (ctypes.string_at, 0, "its process was ended by SIGSEGV"),
    "killed": (
        signal.raise_signal,
        signal.SIGKILL,
        "its process was ended by SIGKILL, as the system does when memory runs out",
    ),
}


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.close()


@pytest.mark.parametrize("how", HOW_IT_ENDS)
def test_how_it_ended_is_told_and_it_starts_again(worker, how):
    function, argument, told = HOW_IT_ENDS[how]
    before = worker.call(os.getpid)
    assert worker.call(os.getpid) == before != os.getpid(), "one process answers all calls"
    with pytest.raises(RunDied, match=f"^{told}$"):
        worker.call(function, argument)
    assert worker.call(os.getpid) not in (before, os.getpid())


def test_an_exit_in_words_of_python_is_an_error_that_ends_nothing(worker):
    before = worker.call(os.getpid)
    with pytest.raises(CallFailed, match="SystemExit: 0"):
        worker.call(sys.exit, 0)
    assert worker.call(os.getpid) == before


def test_it_ends_with_the_process_that_it_works_for():
    code = """
import os, sys
from vision.cli.train.worker import shared_worker
print(shared_worker().call(os.getpid), flush=True)
sys.stdin.readline()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
