"""One round: a sweep that is disturbed again and again, until every run of it is finished.

>>> play(SCENARIOS["one process"], Path("outputs/soak/1"), uncut, random.Random(1))  # doctest: +SKIP
"""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from soaking.faults import SIGNALS, fill_disk, suspend
from soaking.ledger import Ledger, differences, done_twice
from soaking.sweep import ROOT, RUNS, SWEEP, SweepProcess

FULL, PAUSE = "full disk", "pause"
DISK = "40m"
MOST_FAULTS = 8  # of a round, which then comes to its end undisturbed
MOST_SECONDS = 900
LOOK = 0.2


@dataclass(frozen=True, slots=True)
class Scenario:
    """Which processes compute the sweep, and what happens to them.

    Attributes:
        hosts: for each process the machine that it believes to be on; None is this one.
        faults: names of faults.
    """

    hosts: tuple[str | None, ...]
    faults: tuple[str, ...]


SCENARIOS = {
    "one process": Scenario((None,), (*SIGNALS, PAUSE)),
    "two processes": Scenario((None, None), tuple(SIGNALS)),
    "two hosts": Scenario(("north", "south"), (*SIGNALS, PAUSE)),
    "small disk": Scenario((None,), (FULL, FULL, *SIGNALS)),
}


@dataclass(slots=True)
class Outcome:
    """What a round came to.

    Attributes:
        faults: how often each was done.
        statuses: how often a process ended by itself with each exit status.
        finished: runs that are finished at the end.
        lost, twice, different, leftovers, damaged, tracebacks: what must not be.
        seconds: how long it took.
    """

    faults: dict[str, int] = field(default_factory=dict[str, int])
    statuses: dict[str, int] = field(default_factory=dict[str, int])
    finished: int = 0
    lost: list[str] = field(default_factory=list[str])
    twice: list[str] = field(default_factory=list[str])
    different: list[str] = field(default_factory=list[str])
    leftovers: list[str] = field(default_factory=list[str])
    damaged: list[str] = field(default_factory=list[str])
    tracebacks: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is there that must not be."""
        wrong = (self.lost, self.twice, self.different, self.leftovers, self.damaged, self.tracebacks)
        return self.finished == RUNS and not any(wrong)


def play(scenario: Scenario, folder: Path, uncut: Path, chance: random.Random) -> Outcome:
    """Disturb a sweep in a new folder, and compare its end with a sweep that was never cut."""
    outcome, started = Outcome(), time.monotonic()
    folder.mkdir(parents=True)
    with _disk(folder, small=FULL in scenario.faults):
        logs = _disturb(scenario, folder, outcome, chance)
        outcome.twice = done_twice(logs)
        outcome.different = differences(folder / SWEEP, uncut)
        outcome.leftovers = _leftovers(folder)
        outcome.damaged = _lines(folder, "verify", "damaged: ")
        outcome.tracebacks = [log.name for log in logs if "Traceback" in log.read_text()]
    outcome.seconds = time.monotonic() - started
    return outcome


def _disturb(scenario: Scenario, folder: Path, outcome: Outcome, chance: random.Random) -> list[Path]:
    ledger, logs = Ledger(folder / SWEEP), list[Path]()
    places: list[SweepProcess | None] = [None] * len(scenario.hosts)
    deadline, next_fault = time.monotonic() + MOST_SECONDS, time.monotonic() + chance.uniform(5, 25)
    done = False
    while not done and time.monotonic() < deadline:
        for place, process in enumerate(places):
            if process is None:
                logs.append(folder.with_name(f"{folder.name}-{len(logs)}.log"))
                places[place] = SweepProcess(folder, logs[-1], scenario.hosts[place])
            elif process.status not in (None, 0):
                _count(outcome.statuses, str(process.status))
                places[place] = None  # and start another one
        running = [process for process in places if process and process.status is None]
        is_time = time.monotonic() >= next_fault and sum(outcome.faults.values()) < MOST_FAULTS
        if running and is_time and ledger.look() < RUNS:
            _do(chance.choice(scenario.faults), chance.choice(running), folder, outcome, chance)
            next_fault = time.monotonic() + chance.uniform(2, 25)
        ledger.look()
        done = all(process and process.status == 0 for process in places)
        time.sleep(LOOK)
    for process in filter(None, places):
        _count(outcome.statuses, str(process.status))
        process.end()
    outcome.finished, outcome.lost = ledger.look(), ledger.lost
    return logs


def _do(name: str, process: SweepProcess, folder: Path, outcome: Outcome, chance: random.Random) -> None:
    _count(outcome.faults, name)
    if name == FULL:
        fill_disk(folder, chance, chance.uniform(2, 15))
    elif name == PAUSE:
        suspend(process, chance)
    else:
        SIGNALS[name](process, chance)


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


@contextmanager
def _disk(folder: Path, *, small: bool) -> Iterator[None]:
    """Put a small disk into a folder during the block; what was on it stays in the folder."""
    if not small:
        yield
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", folder], check=True)
    try:
        yield
    finally:
        kept = folder.with_name(f"{folder.name}-disk")
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        subprocess.run(["umount", "--lazy", folder], check=True)


def _leftovers(folder: Path) -> list[str]:
    return _lines(folder, "clean", "would remove ", "--dry-run")


def _lines(folder: Path, command: str, begin: str, *options: str) -> list[str]:
    """Return the lines that `vision COMMAND` prints and that begin so."""
    words = [sys.executable, "-m", "vision", command, str(SWEEP), *options]
    shown = subprocess.run(words, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    return [line for line in shown.stdout.splitlines() if line.startswith(begin)]
