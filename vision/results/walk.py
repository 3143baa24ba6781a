"""The folders of runs below a sweep's, found with one look at each of them.

>>> walk(Path("outputs/demo")).finished  # doctest: +SKIP
{'CNN/n100/s0': '1767225600000000000-1767225600000000000-3121-8392'}
"""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from vision.results.claim import PARTIAL
from vision.results.files import FAILURE, RESULT
from vision.results.plan import PLAN


@dataclass(frozen=True, slots=True)
class SweepFiles:
    """What is below a sweep's folder; paths are relative to it, and sorted.

    Attributes:
        finished: folders with a result.json, with a stamp that changes when the file does.
        failed: folders with a failure.json.
        attempts: folders of attempts at runs, whether or not they go on.
        plans: folders with a plan.
        removed: what removed folders and interrupted claims left.
    """

    finished: dict[str, str] = field(default_factory=dict[str, str])
    failed: list[str] = field(default_factory=list[str])
    attempts: list[str] = field(default_factory=list[str])
    plans: list[str] = field(default_factory=list[str])
    removed: list[str] = field(default_factory=list[str])


def walk(sweep: Path) -> SweepFiles:
    """Find the runs below a folder; folders that are renamed meanwhile, as runs are, are skipped."""
    found = SweepFiles()
    _visit(sweep, "", found)
    return found


def _visit(sweep: Path, below: str, found: SweepFiles) -> None:
    folder = os.path.join(sweep, below)
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        with os.scandir(folder) as entries:
            children = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        for name, is_folder in children:
            path = f"{below}{name}"
            if name == PLAN:
                found.plans.append(below.rstrip("/") or ".")
            elif is_folder:
                _sort(sweep, path, name, found)


def _sort(sweep: Path, path: str, name: str, found: SweepFiles) -> None:
    if name.startswith("."):
        if ".claim-" in name or ".removed-" in name:
            found.removed.append(path)
    elif PARTIAL in name:
        found.attempts.append(path)
    elif stamp := _stamp(os.path.join(sweep, path, RESULT)):
        found.finished[path] = stamp
    elif _stamp(os.path.join(sweep, path, FAILURE)):
        found.failed.append(path)
    else:
        _visit(sweep, f"{path}/", found)


def _stamp(path: str) -> str:
    try:
        stat = os.stat(path)
    except OSError:
        return ""
    return f"{stat.st_mtime_ns}-{stat.st_ctime_ns}-{stat.st_size}-{stat.st_ino}"
