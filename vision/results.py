"""A run's folder: written under a temporary name, renamed when finished; and many of them gathered.

>>> collect("outputs/published/cifar10-jpeg")[["label", "train_size", "test_accuracy"]]  # doctest: +SKIP
"""

import hashlib
import json
import os
import re
import shutil
import socket
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from vision.config import RunConfig
from vision.provenance import now, provenance

RESULT, FAILURE, CONFIG = "result.json", "failure.json", "config.yaml"
METRICS, PLAN = "metrics.jsonl", "plan.json"
PREDICTIONS, LABELS = "test_predictions.npy", "test_labels.npy"
RECORD_VERSION = 2  # 1 had no version, no classes, and no labels beside the predictions
PARTIAL = ".partial-"
ABANDONED_SECONDS = 24 * 3600
# Settings that say where and how fast, not what: two runs that differ in these only are the same run.
ELSEWHERE = ("out", "sweep", "data.download", "data.workers", "data.memory_share", "training.threads")


class ConfigMismatch(ValueError):
    """A folder holds a run that was made with another config."""


class RunInProgress(RuntimeError):
    """Another process is computing the run of this folder."""


def run_folder(config: RunConfig) -> Path:
    """Folder of a run: <out>/<sweep>/<model label>/n<train_size>/s<seed>; odd characters become dashes."""
    label = re.sub(r"[^\w.+-]+|^\.+", "-", config.model.label or config.model.name)
    return Path(config.out) / config.sweep / label / f"n{config.train_size}" / f"s{config.seed}"


def settings(config: RunConfig) -> dict[str, Any]:
    """The settings that make a run what it is, flat, by their dotted names."""
    flat = dict(_flatten(asdict(config)))
    return {name: value for name, value in flat.items() if name not in ELSEWHERE}


def finished(folder: Path, config: RunConfig) -> dict[str, Any] | None:
    """The result of the run in `folder`, or None where there is no finished one.

    Raises:
        ConfigMismatch: the finished run there has another config; the message shows each difference.
    """
    path = folder / RESULT
    if not path.exists():
        return None
    result = read_result(folder)
    if result["config_sha256"] != fingerprint(config):
        raise ConfigMismatch(
            f"{folder} holds a finished run of another config:\n{_differences(folder, config)}\n"
            "Nothing was changed. Give this one another folder, for example with sweep=NAME"
        )
    return result


@contextmanager
def writing(folder: Path, config: RunConfig) -> Iterator[Path]:
    """A temporary folder beside `folder` to write a run into; takes the name `folder` when the block ends.

    Where the block raises, the folder holds the traceback in failure.json and no result. A finished run
    that another process put there in the meantime is kept, and this one is thrown away.

    Raises:
        RunInProgress: another process is at this run.
        ConfigMismatch: another process finished this folder in the meantime, with another config.
    """
    partial = folder.with_name(f"{folder.name}{PARTIAL}{socket.gethostname()}-{os.getpid()}")
    for other in folder.parent.glob(f"{folder.name}{PARTIAL}*"):
        if other != partial and _is_alive(other):
            raise RunInProgress(f"{folder} is being computed by another process, in {other}")
        shutil.rmtree(other)
    partial.mkdir(parents=True)
    (partial / CONFIG).write_text(yaml.safe_dump(asdict(config), sort_keys=False))
    try:
        yield partial
    except Exception as error:
        write_json(partial / FAILURE, _failure(error))
        _put_in_place(partial, folder)
        raise
    except BaseException:
        shutil.rmtree(partial)
        raise
    finished(folder, config)  # raises where another config got there first
    _put_in_place(partial, folder)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record as indented JSON."""
    path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")


def append_metrics(folder: Path, record: dict[str, Any]) -> None:
    """Add one line to the folder's metrics.jsonl."""
    with (folder / METRICS).open("a") as file:
        file.write(json.dumps(record) + "\n")


def write_plan(sweep: Path, folders: Iterable[Path]) -> None:
    """Add run folders to what the sweep is meant to hold, so that missing ones can be told."""
    before, added = set(read_plan(sweep)), {str(folder.relative_to(sweep)) for folder in folders}
    if added <= before:
        return
    sweep.mkdir(parents=True, exist_ok=True)
    temporary = sweep / f"{PLAN}{PARTIAL}{os.getpid()}"
    write_json(temporary, {"runs": sorted(before | added)})
    temporary.replace(sweep / PLAN)


def read_plan(sweep: Path) -> list[str]:
    """Run folders that the sweep is meant to hold, relative to it."""
    path = sweep / PLAN
    return json.loads(path.read_text())["runs"] if path.exists() else []


def read_result(folder: Path) -> dict[str, Any]:
    """The record of a finished run."""
    return json.loads((folder / RESULT).read_text())


def read_failure(folder: Path) -> dict[str, Any]:
    """The record of a failed run: error, traceback, and for a diverged one step and lr."""
    return json.loads((folder / FAILURE).read_text())


def status(sweep: Path) -> dict[str, list[str]]:
    """Run folders below `sweep`, relative to it, by state: finished, failed, running, missing.

    A run whose process was killed is missing: nothing of it counts.
    """
    found: dict[str, set[str]] = {"finished": set(), "failed": set(), "running": set(), "missing": set()}
    for folder, files in _walk(sweep):
        name = str(folder.relative_to(sweep))
        if PARTIAL in folder.name:
            found["running"] |= {name.split(PARTIAL)[0]} if _is_alive(folder) else set()
        elif RESULT in files or FAILURE in files:
            found["finished" if RESULT in files else "failed"].add(name)
        elif PLAN in files:
            found["missing"] |= {str((folder / run).relative_to(sweep)) for run in read_plan(folder)}
    found["missing"] -= found["finished"] | found["failed"] | found["running"]
    return {state: sorted(runs) for state, runs in found.items()}


def read_records(source: Path | str) -> pd.DataFrame:
    """A row a run: of the sweep in a folder (see `collect`), or of a table in a .csv or .parquet file.

    A table without a column `data` is of one data set, which takes the file's name.

    Raises:
        FileNotFoundError: it is not there, or holds no finished run.
        ValueError: a table without rows, or a file of another kind.
    """
    source = Path(source)
    if not source.is_file():
        return collect(source)
    readers: dict[str, Any] = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
    if source.suffix not in readers:
        raise ValueError(f"{source} is no table of records; give a .csv, a .parquet, or a sweep's folder")
    records = readers[source.suffix](source)
    if records.empty:
        raise ValueError(f"{source} has no rows; give a table with a row a run")
    return records if "data" in records else records.assign(data=source.stem)


def collect(sweep: Path | str) -> pd.DataFrame:
    """One row for each finished run below `sweep`.

    Columns as in result.json, `folder`, and each setting under its dotted name, as training.lr.

    Raises:
        FileNotFoundError: there is no finished run; the message says what there is.
        ValueError: a record is of a later version than this package knows.
    """
    sweep = Path(sweep)
    if not sweep.is_dir():
        raise FileNotFoundError(
            f"{sweep.absolute()} is no folder; give the folder of a sweep, as outputs/NAME"
        )
    paths = sorted(
        folder / RESULT for folder, files in _walk(sweep) if RESULT in files and PARTIAL not in folder.name
    )
    if not paths:
        raise FileNotFoundError(
            f"no finished run below {sweep.absolute()}; `vision status {sweep}` says what there is"
        )
    rows = [{**_row(path), "folder": str(path.parent.relative_to(sweep))} for path in paths]
    return pd.DataFrame(rows).sort_values(["label", "train_size", "seed"], ignore_index=True)


def learning_curves(sweep: Path | str, records: pd.DataFrame) -> pd.DataFrame:
    """A row for each evaluation on the way: label, train_size, seed, step, lr, losses, val_accuracy.

    Args:
        sweep: the folder that `records` was collected from.
        records: of the runs whose curves are wanted.
    """
    rows = [
        {name: run[name] for name in ("label", "train_size", "seed")} | json.loads(line)
        for run in records.to_dict("records")
        for line in (Path(sweep) / run["folder"] / METRICS).read_text().splitlines()
    ]
    return pd.DataFrame(rows)


def predictions(sweep: Path | str, records: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Runs of one test set -> the class given to each image (R, N), and its true one (N,).

    Raises:
        FileNotFoundError: a run kept no labels beside its predictions, as those of record version 1.
        ValueError: two runs were tested on different images.
    """
    folders = [Path(sweep) / folder for folder in records["folder"]]
    labels = [np.load(folder / LABELS) for folder in folders]
    for folder, other in zip(folders, labels, strict=True):
        if not np.array_equal(other, labels[0]):
            raise ValueError(f"{folder} was tested on other images than {folders[0]}: they cannot be paired")
    return np.stack([np.load(folder / PREDICTIONS) for folder in folders]), labels[0]


def fingerprint(config: RunConfig) -> str:
    """SHA-256 of `settings`."""
    return hashlib.sha256(json.dumps(settings(config), sort_keys=True).encode()).hexdigest()


def _row(path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text())
    version = record.setdefault("record_version", 1)
    if version > RECORD_VERSION:
        raise ValueError(
            f"{path} is a record of version {version}, and this vit-vs-cnn reads those up to "
            f"{RECORD_VERSION}; update it, or leave these runs out"
        )
    # train_size and seed stand in the record itself, the former as a number.
    dotted = {name: value for name, value in record.pop("settings", {}).items() if "." in name}
    return record | dotted


def _differences(folder: Path, config: RunConfig) -> str:
    """A line for each setting in which the run in `folder` differs from `config`."""
    there, wanted = dict(_flatten(yaml.safe_load((folder / CONFIG).read_text()))), settings(config)
    names = sorted((there.keys() | wanted.keys()) - set(ELSEWHERE))
    none = "(none)"
    return "\n".join(
        f"  {name}: {there.get(name, none)!r} there, {wanted.get(name, none)!r} asked for"
        for name in names
        if there.get(name, none) != wanted.get(name, none)
    )


def _flatten(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _failure(error: Exception) -> dict[str, Any]:
    details = {name: getattr(error, name) for name in ("step", "lr") if hasattr(error, name)}
    return {
        "status": "failed",
        "error": f"{type(error).__name__}: {error}",
        **details,
        "time": now(),
        "traceback": traceback.format_exc(),
        **provenance(),
    }


def _put_in_place(partial: Path, folder: Path) -> None:
    if (folder / RESULT).exists():
        shutil.rmtree(partial)
        return
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)


def _walk(sweep: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders with their files; those that take another name meanwhile, as runs do, are passed over."""
    for folder, _, files in os.walk(sweep):
        yield Path(folder), files


def _is_alive(partial: Path) -> bool:
    host, _, pid = partial.name.rpartition(PARTIAL)[2].rpartition("-")
    if host != socket.gethostname():
        # Nobody can ask another host: what has not been touched for a day is taken for left behind.
        return partial.exists() and time.time() - partial.stat().st_mtime < ABANDONED_SECONDS
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
