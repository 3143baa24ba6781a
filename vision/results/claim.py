"""Who computes a run: the folder of an attempt with a lock, which a heartbeat keeps alive.

The attempts at a run have numbers, as in s0.partial-1, and the highest holds it. Whoever finds that all
attempts are dead makes the next one. Giving a folder its name succeeds for one process only, on shared file
systems too, so no two hold a run.

>>> with claim_run(Path("outputs/runs/ViT/n500/s0")) as held:  # doctest: +SKIP
...     held.check()
"""

import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from vision.results.disk import DiskFull, is_full
from vision.results.files import LOCK, RESULT, clear_away
from vision.results.process import Process, this_process
from vision.results.progress import RunProgress

PARTIAL = ".partial-"
SILENCE = "VISION_SILENT_SECONDS"  # environment variable: after how many seconds without a beat a run is dead
SILENT_SECONDS = 120.0
BEATS = 24  # within these seconds


class RunInProgress(RuntimeError):
    """Another process is computing the run of this folder, or has just finished it."""


class LockLost(RunInProgress):
    """Another process took this run over, because this one gave no sign of life for too long."""


class Watch:
    """Tells dead attempts from live ones.

    Processes of this machine are looked up. Those of another machine or container are dead if the heartbeat
    stands still while this object watches it. Clocks and times of files do not count, as they may be wrong.
    """

    def __init__(self) -> None:
        self._silent = silent_seconds()
        self._seen: dict[Path, tuple[object, float]] = {}

    def is_dead(self, attempt: Path) -> bool:
        """Return whether it is certain that nobody works on this attempt."""
        holder = read_holder(attempt)
        alive = holder.is_alive() if holder else None
        if alive is not None:
            return not alive
        sign = _sign_of_life(attempt)
        before, since = self._seen.get(attempt, (None, 0.0))
        if sign != before:
            self._seen[attempt] = sign, time.monotonic()
            return False
        return time.monotonic() - since >= self._silent

    def seconds_left(self) -> float:
        """Return how long the attempts seen so far must still be watched; 0 if there is no such attempt."""
        left = [self._silent - (time.monotonic() - since) for _, since in self._seen.values()]
        return max(0.0, *left) if left else 0.0


class Claim:
    """The right of this process to compute a run, kept alive by a thread.

    Attributes:
        folder: the attempt's folder, in which the run's files are written.
    """

    def __init__(self, run: Path, folder: Path, token: str) -> None:
        self.folder = folder
        self._run, self._token = run, token
        self._lost, self._stop = threading.Event(), threading.Event()
        self._progress = RunProgress(folder)
        self._thread = threading.Thread(target=self._beat, daemon=True, name=f"heartbeat of {run}")
        self._thread.start()

    def check(self) -> None:
        """Raise LockLost if another process has taken the run over; costs nothing."""
        if self._lost.is_set():
            raise LockLost(f"{self._run} was taken over by another process, which computes it now")

    def check_now(self) -> None:
        """Do the same after a look at the folder."""
        if not self._is_held():
            self._lost.set()
        self.check()

    def note(self, step: int, steps: int) -> None:
        """Have the heartbeat write down how far the run is."""
        self._progress.note(step, steps)

    def end_notes(self) -> None:
        """Write no more of it, as the folder gets its name."""
        self._progress.end()

    def stop(self) -> None:
        """End the heartbeat."""
        self._stop.set()
        self._thread.join()

    def _is_held(self) -> bool:
        higher = [other for other in attempts(self._run) if number(other) > number(self.folder)]
        return not higher and _token(self.folder) == self._token

    def _beat(self) -> None:
        while not self._stop.wait(silent_seconds() / BEATS):
            try:
                if not self._is_held():
                    self._lost.set()
                    return
                os.utime(self.folder / LOCK)  # needs no space on the disk
                self._progress.write()
            except OSError:  # a network file system that hiccups; the next beat will show
                continue


@contextmanager
def claim_run(run: Path, watch: Watch | None = None) -> Generator[Claim]:
    """Hold the run of this folder during the block; what dead attempts left is removed first.

    Raises:
        RunInProgress: another process holds it; the message names it.
        DiskFull: there is no room for the lock.
    """
    dead = _dead_attempts(run, watch or Watch())
    token = secrets.token_hex(8)
    folder = _make_attempt(run, 1 + max(map(number, dead), default=0), token)
    held = Claim(run, folder, token)
    try:
        if rivals := [other for other in attempts(run) if other not in (folder, *dead)]:
            raise RunInProgress(in_progress(run, rivals[0]))
        for attempt in dead:
            clear_away(attempt, into=folder)
        yield held
    finally:
        held.stop()
        if _token(folder) == token:
            clear_away(folder)


def silent_seconds() -> float:
    """Return after how many seconds without a beat a run on another machine counts as dead."""
    return float(os.environ.get(SILENCE, SILENT_SECONDS))


def attempts(run: Path) -> list[Path]:
    """Return the folders of the attempts at a run."""
    return sorted(run.parent.glob(f"{run.name}{PARTIAL}*"))


def number(attempt: Path) -> int:
    """Return the number of an attempt; 0 for those of earlier versions, which had none."""
    text = attempt.name.rpartition(PARTIAL)[2]
    return int(text) if text.isdecimal() else 0


def read_holder(attempt: Path) -> Process | None:
    """Return the process that works on an attempt; None if the lock cannot be read."""
    try:
        lock = json.loads((attempt / LOCK).read_text())
        return Process(**{name: lock[name] for name in Process.__slots__})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def in_progress(run: Path, attempt: Path) -> str:
    """Return the sentence that another process computes a run, or has just finished it."""
    if (run / RESULT).exists():
        return f"{run} was finished by another process in the meantime"
    return f"{run} is being computed by {read_holder(attempt) or 'another process'}, in {attempt}"


def _dead_attempts(run: Path, watch: Watch) -> list[Path]:
    found = attempts(run)
    if alive := [attempt for attempt in found if not watch.is_dead(attempt)]:
        raise RunInProgress(in_progress(run, alive[0]))
    return found


def _make_attempt(run: Path, next_number: int, token: str) -> Path:
    """Make the folder of an attempt with a lock in it, at once, or not at all."""
    prepared = run.with_name(f".{run.name}.claim-{token}")
    try:
        prepared.mkdir(parents=True)
        (prepared / LOCK).write_text(json.dumps({"token": token, **asdict(this_process())}))
    except OSError as error:
        shutil.rmtree(prepared, ignore_errors=True)
        if is_full(error):
            raise DiskFull(f"no space left on the disk of {run}") from error
        raise
    folder = run.with_name(f"{run.name}{PARTIAL}{next_number}")
    try:
        prepared.rename(folder)
    except OSError as error:  # it exists, and is not empty
        clear_away(prepared)
        if not folder.exists():
            raise
        raise RunInProgress(in_progress(run, folder)) from error
    return folder


def _token(attempt: Path) -> str | None:
    with suppress(OSError, ValueError, AttributeError):
        return json.loads((attempt / LOCK).read_text()).get("token")
    return None


def _sign_of_life(attempt: Path) -> object:
    """Return something that changes with each beat, or with each file written where there is no lock."""
    try:
        with (attempt / LOCK).open() as lock:  # opening it makes a network file system ask the server
            return os.fstat(lock.fileno()).st_mtime_ns
    except OSError:
        with suppress(OSError):
            return sorted((p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in attempt.iterdir())
        return ()
