"""One attempt at a run: its files are in a temporary folder, which gets the run's name at the end.

>>> with atomic_run_folder(run_folder(config), config) as attempt:  # doctest: +SKIP
...     write_result(attempt.folder, record)
"""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import yaml

from vision.config import RunConfig
from vision.results.checkpoint import Checkpoint
from vision.results.checksums import check_file, checked_files, read_result
from vision.results.claim import Claim, RunInProgress, Watch, attempts, claim_run
from vision.results.disk import DiskFull, is_full, release
from vision.results.failure import write_failure
from vision.results.files import CONFIG, LOCK, PROGRESS, RESULT, clear_away, sync_folder, write_text
from vision.results.identity import load_finished


@contextmanager
def atomic_run_folder(folder: Path, config: RunConfig, watch: Watch | None = None) -> Generator[Claim]:
    """Hold a run, and give its attempt's folder the name of the run when the block ends.

    If the block raises an error, or SystemExit, the folder holds the traceback in failure.json and no result.
    A finished run that another process put there in the meantime is kept, and this one is removed. Files of
    a failed run that this package did not write are kept.

    Raises:
        RunInProgress: another process is computing this run, or has taken it over.
        ConfigMismatch: another process finished this folder in the meantime, with another config.
        DiskFull: there is no room for the files.
    """
    with claim_run(folder, watch) as held:
        if (folder / RESULT).exists():
            raise RunInProgress(f"{folder} was finished by another process in the meantime")
        try:
            write_text(held.folder / CONFIG, yaml.safe_dump(asdict(config), sort_keys=False))
            yield held
            held.check_now()
            held.end_notes()
            load_finished(folder, config)  # raises if another config was faster
            _put_in_place(held.folder, folder)
        except (RunInProgress, DiskFull):
            raise
        except BaseException as error:
            if _is_interrupt(error):
                raise
            if is_full(error):
                raise DiskFull(f"no space left on the disk of {folder}") from error
            _record(held, folder, error)
            raise


def adopt_finished(folder: Path, watch: Watch | None = None) -> None:
    """Give a run that was finished by a process that died just before renaming it its folder."""
    watch = watch or Watch()
    for attempt in attempts(folder):
        if (attempt / RESULT).exists() and not (folder / RESULT).exists() and watch.is_dead(attempt):
            try:
                record = read_result(attempt)
                for name in checked_files(record):
                    check_file(attempt, name, record)
            except (ValueError, OSError):
                continue  # not whole; the next claim removes it
            _put_in_place(attempt, folder)


def _is_interrupt(error: BaseException) -> bool:
    """Return whether an error is Ctrl-C, which a process that computes runs for another one ignores."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return isinstance(error, GeneratorExit) or (isinstance(error, KeyboardInterrupt) and not ignored)


def _record(held: Claim, folder: Path, error: BaseException) -> None:
    """Keep a failure, unless another process holds the run by now."""
    held.check_now()
    held.end_notes()
    release(held.folder)
    write_failure(held.folder, error)
    _put_in_place(held.folder, folder)


def _put_in_place(attempt: Path, folder: Path) -> None:
    if (folder / RESULT).exists():
        return clear_away(attempt, into=folder)
    release(attempt)
    sync_folder(attempt)
    (attempt / PROGRESS).unlink(missing_ok=True)
    if folder.exists():
        clear_away(folder, into=attempt)
    if (attempt / RESULT).exists():
        Checkpoint(folder).remove()  # before the folder gets its name, so that a kill leaves no state behind
    attempt.rename(folder)
    (folder / LOCK).unlink(missing_ok=True)
    sync_folder(folder.parent)
