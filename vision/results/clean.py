"""What interrupted and superseded runs leave in a sweep's folder, and how it is removed.

>>> for leftover in leftovers(Path("outputs/demo")): print(leftover.path, leftover.what)  # doctest: +SKIP
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vision.results.checkpoint import CHECKPOINT
from vision.results.claim import Watch, attempts, read_holder
from vision.results.files import FAILURE, OURS, RESULT, TEMPORARY, clear_away
from vision.results.plan import forget_earlier, read_plan
from vision.results.walk import walk


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that no run needs any more.

    Attributes:
        path: the file or folder.
        what: what it is.
        remove: removes it.
    """

    path: Path
    what: str
    remove: Callable[[], None]


def leftovers(sweep: Path, watch: Watch) -> list[Leftover]:
    """Return what can be removed below a sweep's folder: no finished run, and nothing of a live process.

    What a process of another machine left is listed once `watch` has seen its heartbeat stand still.
    """
    found = walk(sweep)
    return [
        *(_attempt(sweep / name) for name in found.attempts if watch.is_dead(sweep / name)),
        *(_removed(sweep / name) for name in found.removed if _is_abandoned(sweep / name, watch)),
        *(_checkpoint(path) for path in sorted(sweep.rglob(f".*{CHECKPOINT}")) if _is_unused(path, watch)),
        *(_temporary(path) for path in sorted(sweep.rglob(f"{TEMPORARY}*")) if path.parent == sweep),
        *(leftover for folder in found.plans for leftover in _not_asked_for(sweep / folder)),
    ]


def _attempt(folder: Path) -> Leftover:
    holder = read_holder(folder)
    return Leftover(folder, f"left by {holder or 'a process'}, which has ended", lambda: clear_away(folder))


def _removed(folder: Path) -> Leftover:
    return Leftover(folder, "left by an interrupted removal or start", lambda: clear_away(folder))


def _is_abandoned(folder: Path, watch: Watch) -> bool:
    return ".removed-" in folder.name or watch.is_dead(folder)


def _checkpoint(folder: Path) -> Leftover:
    what = "state of a run that has not finished, which a rerun would continue"
    return Leftover(folder, what, lambda: clear_away(folder))


def _is_unused(folder: Path, watch: Watch) -> bool:
    run = folder.with_name(folder.name.removeprefix(".").removesuffix(CHECKPOINT))
    return all(watch.is_dead(attempt) for attempt in attempts(run))


def _temporary(path: Path) -> Leftover:
    return Leftover(path, "left by an interrupted write", lambda: path.unlink(missing_ok=True))


def _not_asked_for(sweep: Path) -> list[Leftover]:
    """Return the failed runs of earlier plans, and the entries of these plans."""
    earlier = [sweep / run for run in read_plan(sweep).earlier]
    failed = [
        Leftover(run, "failed, and not in the sweep as last issued", lambda run=run: _remove_failed(run))
        for run in earlier
        if (run / FAILURE).exists() and not (run / RESULT).exists()
    ]
    missing = sum(not run.exists() for run in earlier)
    if earlier:
        what = f"names {missing} missing runs that are not in the sweep as last issued"
        failed.append(Leftover(sweep / "plan.json", what, lambda: forget_earlier(sweep)))
    return failed


def _remove_failed(run: Path) -> None:
    """Remove a failed run's files, and the folders of its size and model; those that hold others stay."""
    for path in run.iterdir():
        if path.name in OURS:
            path.unlink()
    with suppress(OSError):  # not empty
        for folder in (run, *run.parents[:2]):
            folder.rmdir()
