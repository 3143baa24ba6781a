"""The plan of a sweep: the runs that it consists of, so that missing ones can be listed.

>>> read_plan(Path("outputs/demo")).runs[:1]  # doctest: +SKIP
['CNN/n100/s0']
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from vision.results.files import read_json, write_json

PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """Run folders relative to the sweep's.

    Attributes:
        runs: those of the sweep as it was last issued, and single runs since then.
        earlier: those of which it consisted before, and which are not asked for any more.
        work: multiply-adds of the training of each run that was to do when the sweep was last issued.
    """

    runs: list[str] = field(default_factory=list[str])
    earlier: list[str] = field(default_factory=list[str])
    work: dict[str, float] = field(default_factory=dict[str, float])


def write_plan(
    sweep: Path, folders: Iterable[Path], *, whole: bool = False, work: Mapping[Path, float] | None = None
) -> None:
    """Note the run folders of a sweep.

    Args:
        sweep: folder of the sweep.
        folders: the run folders.
        whole: they are the whole sweep; the others of the present plan are not asked for any more.
            Otherwise they are added.
        work: multiply-adds of the training of each run that is to do; None keeps those of the plan.
    """
    before = read_plan(sweep)
    runs = {str(folder.relative_to(sweep)) for folder in folders}
    known = {*before.runs, *before.earlier, *runs}
    runs = runs if whole else runs.union(before.runs)
    named = before.work if work is None else {str(run.relative_to(sweep)): macs for run, macs in work.items()}
    plan = Plan(sorted(runs), sorted(known - runs), named)
    if plan != before:
        sweep.mkdir(parents=True, exist_ok=True)
        _write(sweep, plan)


def forget_earlier(sweep: Path) -> None:
    """Remove from the plan the runs that are not asked for any more."""
    plan = read_plan(sweep)
    _write(sweep, Plan(plan.runs, work=plan.work))


def read_plan(sweep: Path) -> Plan:
    """Return the plan of a sweep; an empty one if there is none.

    Raises:
        ValueError: the file cannot be read.
    """
    path = sweep / PLAN
    if not path.exists():
        return Plan()
    plan = read_json(path, "runs", remove="this file")
    runs, earlier = (_names(path, name, plan.get(name) or []) for name in ("runs", "earlier"))
    work = plan.get("work")
    return Plan(runs, earlier, cast(dict[str, float], work) if isinstance(work, dict) else {})


def _names(path: Path, name: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise ValueError(f"{path}: {name} must be a list, got {value!r:.60}; remove this file and rerun")
    return [str(run) for run in cast(list[object], value)]


def _write(sweep: Path, plan: Plan) -> None:
    earlier = {"earlier": plan.earlier} if plan.earlier else {}
    work = {"work": plan.work} if plan.work else {}
    write_json(sweep / PLAN, {"runs": plan.runs, **earlier, **work})
