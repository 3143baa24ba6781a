"""A run's folder: written under a temporary name, renamed when finished; found again, compared with a config.

>>> run_folder(config)  # doctest: +SKIP
PosixPath('outputs/runs/ViT/n500/s0')
"""

import hashlib
import json
import os
import re
import shutil
import socket
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from vision.config import RunConfig
from vision.provenance import now, provenance

RESULT, FAILURE, CONFIG = "result.json", "failure.json", "config.yaml"
METRICS, PREDICTIONS, LABELS = "metrics.jsonl", "test_predictions.npy", "test_labels.npy"
PARTIAL = ".partial-"
ABANDONED_SECONDS = 24 * 3600
# Settings that say where and how fast, not what: two runs that differ in these only are the same run.
NON_IDENTIFYING = ("out", "sweep", "data.download", "data.workers", "data.memory_share", "training.threads")


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
    return {name: value for name, value in flat.items() if name not in NON_IDENTIFYING}


def load_finished(folder: Path, config: RunConfig) -> dict[str, Any] | None:
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
def atomic_run_folder(folder: Path, config: RunConfig) -> Iterator[Path]:
    """A temporary folder beside `folder` to write a run into; takes the name `folder` when the block ends.

    Where the block raises, the folder holds the traceback in failure.json and no result. A finished run
    that another process put there in the meantime is kept, and this one is thrown away.

    Raises:
        RunInProgress: another process is at this run.
        ConfigMismatch: another process finished this folder in the meantime, with another config.
    """
    partial = folder.with_name(f"{folder.name}{PARTIAL}{socket.gethostname()}-{os.getpid()}")
    for other in folder.parent.glob(f"{folder.name}{PARTIAL}*"):
        if other != partial and is_alive(other):
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
    load_finished(folder, config)  # raises where another config got there first
    _put_in_place(partial, folder)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record as indented JSON."""
    path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")


def read_json(path: Path, *needed: str, remove: str = "its folder") -> dict[str, Any]:
    """What `write_json` wrote, with the names that it needs.

    Args:
        path: of the file.
        needed: names.
        remove: what the sweep makes anew, if the file is no good.

    Raises:
        ValueError: the file is broken off, no JSON, or lacks one of them.
    """
    remedy = f"remove {remove} and issue the sweep again"
    try:
        record = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is broken off or no JSON ({error}); {remedy}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path} must hold names and values, got {record!r}; {remedy}")
    if missing := [name for name in needed if name not in record]:
        raise ValueError(f"{path} lacks {', '.join(missing)}; {remedy}")
    return record


def append_metrics(folder: Path, record: dict[str, Any]) -> None:
    """Add one line to the folder's metrics.jsonl."""
    with (folder / METRICS).open("a") as file:
        file.write(json.dumps(record) + "\n")


def read_result(folder: Path) -> dict[str, Any]:
    """The record of a finished run."""
    return read_json(folder / RESULT)


def read_failure(folder: Path) -> dict[str, Any]:
    """The record of a failed run: error, traceback, and for a diverged one step and lr."""
    return read_json(folder / FAILURE, "error")


def why_failed(folder: Path) -> str:
    """The error of a failed run, or what is wrong with the file that should hold it."""
    try:
        return read_failure(folder)["error"]
    except ValueError as error:
        return str(error)


def fingerprint(config: RunConfig) -> str:
    """SHA-256 of `settings`."""
    return hashlib.sha256(json.dumps(settings(config), sort_keys=True).encode()).hexdigest()


def is_alive(partial: Path) -> bool:
    """Whether the process that writes into this temporary folder is still there."""
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


def _differences(folder: Path, config: RunConfig) -> str:
    """A line for each setting in which the run in `folder` differs from `config`."""
    there, wanted = dict(_flatten(yaml.safe_load((folder / CONFIG).read_text()))), settings(config)
    names = sorted((there.keys() | wanted.keys()) - set(NON_IDENTIFYING))
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
