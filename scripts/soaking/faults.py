"""What is done to a sweep: signals to one of its processes or to all, a pause, and a full disk.

>>> kill_all(process, random.Random(0))  # doctest: +SKIP
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from soaking.sweep import SILENT_SECONDS, SweepProcess

Fault = Callable[[SweepProcess, random.Random], None]
FILLER = "filler"
ROOM = 3_000_000  # bytes that a full disk may still have


def kill_all(process: SweepProcess, chance: random.Random) -> None:
    """SIGKILL to the sweep and its worker, as when a machine loses its power."""
    process.kill_group(signal.SIGKILL)


def kill_one(process: SweepProcess, chance: random.Random) -> None:
    """SIGKILL to the sweep or to its worker, as when memory runs out."""
    _signal_one(process, chance, signal.SIGKILL)


def end_all(process: SweepProcess, chance: random.Random) -> None:
    """SIGTERM to the sweep and its worker, as before a machine is taken away."""
    process.kill_group(signal.SIGTERM)


def end_one(process: SweepProcess, chance: random.Random) -> None:
    """SIGTERM to the sweep or to its worker."""
    _signal_one(process, chance, signal.SIGTERM)


def interrupt(process: SweepProcess, chance: random.Random) -> None:
    """SIGINT to all, as Ctrl-C does."""
    process.kill_group(signal.SIGINT)


def suspend(process: SweepProcess, chance: random.Random) -> None:
    """Stop all for longer than a heartbeat may be silent, and let them go on."""
    process.kill_group(signal.SIGSTOP)
    time.sleep(SILENT_SECONDS + chance.uniform(1, 6))
    process.kill_group(signal.SIGCONT)


def fill_disk(folder: Path, chance: random.Random, seconds: float) -> None:
    """Leave the disk of a folder almost no room for some seconds; what it leaves differs."""
    free = shutil.disk_usage(folder).free
    left = chance.choice((0, chance.randrange(ROOM)))
    try:
        with (folder / FILLER).open("wb") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, free - left))
        time.sleep(seconds)
    finally:
        (folder / FILLER).unlink(missing_ok=True)


def _signal_one(process: SweepProcess, chance: random.Random, number: signal.Signals) -> None:
    if members := process.members():
        with suppress(ProcessLookupError):
            os.kill(chance.choice(members), number)


SIGNALS: dict[str, Fault] = {
    "SIGKILL to all": kill_all,
    "SIGKILL to one": kill_one,
    "SIGTERM to all": end_all,
    "SIGTERM to one": end_one,
    "SIGINT to all": interrupt,
}
