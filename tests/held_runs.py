"""Another process that computes a run, on this machine or on what looks like another one."""

import pickle
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from vision.config import RunConfig

# Holds the run until a line arrives, then writes a result, and says how it ended.
HOLD = """
import pickle, sys
from vision import results
config = pickle.loads(bytes.fromhex(sys.argv[1]))
try:
    with results.atomic_run_folder(results.run_folder(config), config) as attempt:
        print("held", attempt.folder, flush=True)
        sys.stdin.readline()
        attempt.check()
        record = {"label": "CNN", "train_size": config.train_size, "seed": config.seed, "record_version": 4,
                  "test_accuracy": 0.7, "config_sha256": results.fingerprint(config)}
        results.write_result(attempt.folder, record)
    print("finished", flush=True)
except results.RunInProgress as error:
    print(type(error).__name__, error, flush=True)
"""
# A process of another host with another namespace of processes cannot be looked up from here.
OTHER_HOST = [
    "unshare",
    "--uts",
    "--pid",
    "--fork",
    "--kill-child",
    "sh",
    "-c",
    'hostname other; exec "$@"',
    "sh",
]


@contextmanager
def holder(config: RunConfig, *, on: list[str] | None = None) -> Generator["Holder"]:
    """Hold a run in another process during the block."""
    command = [*(on or []), sys.executable, "-c", HOLD, pickle.dumps(config).hex()]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        held = Holder(process)
        assert held.line().startswith("held")
        try:
            yield held
        finally:
            process.kill()


class Holder:
    """A process that holds a run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def finish(self) -> str:
        """Let it write its result; returns how it ended."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.line()


def needs_other_host() -> None:
    """Skip a test where this user may not start what looks like another host."""
    if subprocess.run([*OTHER_HOST, "true"], capture_output=True).returncode:
        pytest.skip("unshare is not allowed here")
