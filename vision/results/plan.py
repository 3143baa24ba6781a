"""The plan of a sweep: the runs that it consists of, so that missing ones can be listed.

>>> read_plan(Path("outputs/demo")).runs[:1]  # doctest: +SKIP
['CNN/n100/s0']
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from vision.results.files import read_json, write_json

PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """Run folders relative to the sweep's.

    Attributes:
        runs: those of the sweep as it was last issued, and single runs since then.
        earlier: those of which it consisted before, and which are not asked for any more.
    """

    runs: list[str] = field(default_factory=list[str])
    earlier: list[str] = field(default_factory=list[str])


def write_plan(sweep: Path, folders: Iterable[Path], *, whole: bool = False) -> None:
    """Note the run folders of a sweep.

    Args:
        sweep: folder of the sweep.
        folders: the run folders.
        whole: they are the whole sweep; the others of the present plan are not asked for any more.
            Otherwise they are added.
    """
    before = read_plan(sweep)
    runs = {str(folder.relative_to(sweep)) for folder in folders}
    known = {*before.runs, *before.earlier, *runs}
    runs = runs if whole else runs.union(before.runs)
    plan = Plan(sorted(runs), sorted(known - runs))
    if plan != before:
        sweep.mkdir(parents=True, exist_ok=True)
        _write(sweep, plan)


def forget_earlier(sweep: Path) -> None:
    """Remove from the plan the runs that are not asked for any more."""
    _write(sweep, Plan(read_plan(sweep).runs))


def read_plan(sweep: Path) -> Plan:
    """Return the plan of a sweep; an empty one if there is none.

    Raises:
        ValueError: the file cannot be read.
    """
    path = sweep / PLAN
    if not path.exists():
        return Plan()
    plan = read_json(path, "runs", remove="this file")
    return Plan(*(_names(path, name, plan.get(name) or []) for name in ("runs", "earlier")))


def _names(path: Path, name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError(f"{path}: {name} must be a list, got {value!r:.60}; remove this file and rerun")
    return [str(run) for run in cast(list[Any], value)]


def _write(sweep: Path, plan: Plan) -> None:
    earlier = {"earlier": plan.earlier} if plan.earlier else {}
    write_json(sweep / PLAN, {"runs": plan.runs, **earlier})
