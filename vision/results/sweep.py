"""The folder of a sweep: its plan, the state of its runs, and its records as one table.

>>> collect("outputs/demo")[["label", "train_size", "test_accuracy"]]  # doctest: +SKIP
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from vision.results.record import REQUIRED, check_version, current_columns, table_row
from vision.results.run import (
    FAILURE,
    METRICS,
    PARTIAL,
    RESULT,
    is_alive,
    read_json,
    write_json,
)

PLAN = "plan.json"
READERS: dict[str, Callable[[Path], pd.DataFrame]] = {".csv": pd.read_csv, ".parquet": pd.read_parquet}


def write_plan(sweep: Path, folders: Iterable[Path]) -> None:
    """Add run folders to the plan of a sweep, so that missing ones can be listed."""
    before, added = set(read_plan(sweep)), {str(folder.relative_to(sweep)) for folder in folders}
    if added <= before:
        return
    sweep.mkdir(parents=True, exist_ok=True)
    temporary = sweep / f"{PLAN}{PARTIAL}{os.getpid()}"
    write_json(temporary, {"runs": sorted(before | added)})
    temporary.replace(sweep / PLAN)


def read_plan(sweep: Path) -> list[str]:
    """Return the planned run folders of a sweep, relative to it."""
    path = sweep / PLAN
    return list(map(str, read_json(path, "runs", remove="this file")["runs"])) if path.exists() else []


def status(sweep: Path) -> dict[str, list[str]]:
    """Return the run folders below `sweep`, relative to it, by state: finished, failed, running, missing.

    A run whose process was killed is missing.
    """
    found: dict[str, set[str]] = {"finished": set(), "failed": set(), "running": set(), "missing": set()}
    for folder, files in _walk(sweep):
        name = str(folder.relative_to(sweep))
        if PARTIAL in folder.name:
            found["running"] |= {name.split(PARTIAL)[0]} if is_alive(folder) else set()
        elif RESULT in files or FAILURE in files:
            found["finished" if RESULT in files else "failed"].add(name)
        elif PLAN in files:
            found["missing"] |= {str((folder / run).relative_to(sweep)) for run in read_plan(folder)}
    found["missing"] -= found["finished"] | found["failed"] | found["running"]
    return {state: sorted(runs) for state, runs in found.items()}


def read_records(source: Path | str) -> pd.DataFrame:
    """Read the records of a sweep's folder (see `collect`), or of a .csv or .parquet file.

    Returns:
        One row per run. A table without a column `data` is of one data set, named after the file. Settings
        of earlier versions have their present names.

    Raises:
        FileNotFoundError: it does not exist, or has no finished run.
        ValueError: the file is of another kind, cannot be read, has no rows, or has records of a later
            version.
    """
    source = Path(source)
    if source.suffix in READERS and not source.exists():
        raise FileNotFoundError(f"there is no file {source.absolute()}; give a table with one row per run")
    if not source.is_file():
        return collect(source)
    if source.suffix not in READERS:
        raise ValueError(f"{source} is not a table of records; give a .csv, a .parquet, or a sweep's folder")
    try:
        records = READERS[source.suffix](source)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{source} cannot be read as a table ({error}); give one with one row per run"
        ) from error
    if records.empty:
        raise ValueError(f"{source} has no rows; give a table with one row per run")
    if "record_version" in records:
        versions = pd.to_numeric(records["record_version"], errors="coerce")
        if versions.notna().any():
            check_version(source, float(versions.max()))
    records = current_columns(records)
    return records if "data" in records else records.assign(data=source.stem)


def collect(sweep: Path | str) -> pd.DataFrame:
    """Return one row for each finished run below `sweep`.

    The columns are those of result.json (see `vision.results.columns`), `folder`, and each setting under its
    dotted name, such as training.lr. A setting with several values, such as data.mean, is text.

    Raises:
        FileNotFoundError: there is no finished run.
        ValueError: a record cannot be read, or is of a later version.
    """
    sweep = Path(sweep)
    if not sweep.is_dir():
        raise FileNotFoundError(
            f"{sweep.absolute()} is not a folder; give the folder of a sweep, such as outputs/NAME"
        )
    paths = sorted(
        folder / RESULT for folder, files in _walk(sweep) if RESULT in files and PARTIAL not in folder.name
    )
    if not paths:
        raise FileNotFoundError(
            f"no finished run below {sweep.absolute()}; `vision status {sweep}` lists its runs by state"
        )
    rows = [{**_row(path), "folder": str(path.parent.relative_to(sweep))} for path in paths]
    records = current_columns(pd.DataFrame(rows))
    return records.sort_values(["label", "train_size", "seed"], ignore_index=True)


def learning_curves(sweep: Path | str, records: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each validation: label, train_size, seed, step, lr, losses, val_accuracy.

    Args:
        sweep: the folder that `records` was collected from.
        records: the runs whose curves to read.

    Raises:
        FileNotFoundError: a run has no such file.
        ValueError: a file cannot be read.
    """
    rows = [
        {name: run[name] for name in REQUIRED} | step
        for run in records.to_dict("records")
        for step in _steps(Path(sweep) / run["folder"] / METRICS)
    ]
    return pd.DataFrame(rows)


def _row(path: Path) -> dict[str, Any]:
    record = read_json(path, *REQUIRED)
    version = record.setdefault("record_version", 1)
    if not isinstance(version, int):
        raise ValueError(f"{path}: record_version must be an integer, such as 2, got {version!r}")
    check_version(path, version)
    return table_row(record)


def _steps(path: Path) -> list[dict[str, Any]]:
    try:
        steps = [json.loads(line) for line in path.read_text().splitlines()]
    except ValueError as error:
        raise ValueError(f"{path} is truncated or not valid JSON ({error})") from error
    if wrong := [step for step in steps if not isinstance(step, dict)]:
        raise ValueError(f"{path} must hold a JSON object in each line, got {wrong[0]!r}")
    return steps


def _walk(sweep: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield folders with their files; folders that are renamed meanwhile, as runs are, are skipped."""
    for folder, _, files in os.walk(sweep):
        yield Path(folder), files
