"""Room for the files of a run: reserved before it is trained, so that a full disk costs no training.

>>> check_writable(Path("."), "output_dir")
"""

import errno
import json
import os
import shutil
import tempfile
from pathlib import Path

from vision.dynamic import JsonObject
from vision.results.files import METRICS, RESERVED, RESERVED_FILES
from vision.text import type_and_text

FULL = (errno.ENOSPC, errno.EDQUOT)
FILES = 10  # those of a run, one of them under a temporary name too
METRICS_SHARE = 2**16  # bytes of the reserved room that metrics.jsonl may use at a time


class DiskFull(RuntimeError):
    """There is no room for the files of a run. No failure is recorded: the run can be done later."""


def reserve(folder: Path, size: int) -> None:
    """Take `size` bytes for the files of the run in `folder`, until `release` gives them back.

    As many empty files are made, because a file system or a quota may also be full of files.

    Raises:
        DiskFull: there is no such room.
    """
    if size > (free := shutil.disk_usage(folder).free):
        raise DiskFull(_sentence(folder, size, free))
    try:
        with (folder / RESERVED).open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
        (folder / RESERVED_FILES).mkdir(exist_ok=True)
        for number in range(FILES):
            (folder / RESERVED_FILES / str(number)).touch()
    except OSError as error:
        release(folder)
        if error.errno in FULL:
            raise DiskFull(_sentence(folder, size, shutil.disk_usage(folder).free)) from error
        # A file system that cannot reserve: the check above is what there is.


def append_metrics(folder: Path, record: JsonObject) -> None:
    """Add one line to the folder's metrics.jsonl; on a full disk it takes some of what `reserve` took."""
    line = json.dumps(record) + "\n"
    written = (folder / METRICS).stat().st_size if (folder / METRICS).exists() else 0
    try:
        _append(folder / METRICS, line)
    except OSError as error:
        reserved = folder / RESERVED
        if error.errno not in FULL or not reserved.exists():
            raise
        os.truncate(reserved, max(0, reserved.stat().st_size - METRICS_SHARE))
        if (folder / METRICS).exists():
            os.truncate(folder / METRICS, written)  # a part of the line may have been written
        else:
            (folder / RESERVED_FILES / "0").unlink(missing_ok=True)
        _append(folder / METRICS, line)


def release(folder: Path) -> None:
    """Give back what `reserve` took."""
    (folder / RESERVED).unlink(missing_ok=True)
    shutil.rmtree(folder / RESERVED_FILES, ignore_errors=True)


def is_full(error: BaseException) -> bool:
    """Return whether an error comes from a full disk; safetensors raises one of its own."""
    return (isinstance(error, OSError) and error.errno in FULL) or "StorageFull" in type_and_text(error)


def existing_path(folder: Path) -> Path:
    """Return a folder, or the first path above it that exists, as an absolute path."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def check_writable(folder: Path, setting: str) -> None:
    """Refuse a folder in which nothing can be written; one that does not exist is not made.

    Raises:
        ValueError: it is a file, or it or the first folder above it cannot be written to.
    """
    existing = existing_path(folder)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise ValueError(
            f"{setting} must be a folder that can be written to, got {folder}: {existing}: {error.strerror}"
        ) from error


def check_room(folder: Path, size: int, what: str) -> None:
    """Refuse to begin what the disk of `folder` has no room for.

    Raises:
        DiskFull: less than `size` bytes, or fewer files than those of one run, are free.
    """
    existing = existing_path(folder)
    counts = os.statvfs(existing)  # no count of files: they are not limited
    if size > (free := shutil.disk_usage(existing).free) or (counts.f_files and counts.f_favail < FILES):
        raise DiskFull(_sentence(existing, size, free, what))


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def _sentence(folder: Path, size: int, free: int, what: str = "the run's files") -> str:
    if size <= free:
        return f"no space left on the disk of {folder} for more files; {_megabytes(free)} are free"
    return (
        f"no space left on the disk of {folder}: {what} need about {_megabytes(size)}, and "
        f"{_megabytes(free)} are free"
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
