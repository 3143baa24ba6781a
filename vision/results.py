"""A run's folder: written under a temporary name, renamed when finished; and many of them gathered.

>>> collect("outputs/published/cifar10-jpeg")[["label", "train_size", "test_accuracy"]]  # doctest: +SKIP
"""

import hashlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from vision.config import RunConfig

RESULT, FAILURE, CONFIG = "result.json", "failure.json", "config.yaml"
METRICS, PREDICTIONS, PLAN = "metrics.jsonl", "test_predictions.npy", "plan.json"
PARTIAL = ".partial-"
# Settings that say where and how fast, not what: two runs that differ in these only are the same run.
ELSEWHERE = ("out", "sweep", "data.download", "data.workers", "data.memory_share", "training.threads")
PACKAGES = ("torch", "torchvision", "timm", "hydra-core", "numpy", "vit-vs-cnn")


class ConfigMismatch(ValueError):
    """A folder holds a run that was made with another config."""


def run_folder(config: RunConfig) -> Path:
    """Folder of a run: <out>/<sweep>/<model label>/n<train_size>/s<seed>; odd characters become dashes."""
    label = re.sub(r"[^\w.+-]+", "-", config.model.label or config.model.name)
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
    result = json.loads(path.read_text())
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
    """
    partial = folder.with_name(f"{folder.name}{PARTIAL}{socket.gethostname()}-{os.getpid()}")
    for stale in _partials(folder):
        if not _is_alive(stale):
            shutil.rmtree(stale)
    shutil.rmtree(partial, ignore_errors=True)
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
    _put_in_place(partial, folder)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record as indented JSON."""
    path.write_text(json.dumps(record, indent=2) + "\n")


def append_metrics(folder: Path, record: dict[str, Any]) -> None:
    """Add one line to the folder's metrics.jsonl."""
    with (folder / METRICS).open("a") as file:
        file.write(json.dumps(record) + "\n")


def write_plan(sweep: Path, folders: Iterable[Path]) -> None:
    """Add run folders to what the sweep is meant to hold, so that missing ones can be told."""
    known = set(read_plan(sweep)) | {str(folder.relative_to(sweep)) for folder in folders}
    sweep.mkdir(parents=True, exist_ok=True)
    temporary = sweep / f"{PLAN}{PARTIAL}{os.getpid()}"
    write_json(temporary, {"runs": sorted(known)})
    temporary.replace(sweep / PLAN)


def read_plan(sweep: Path) -> list[str]:
    """Run folders that the sweep is meant to hold, relative to it."""
    path = sweep / PLAN
    return json.loads(path.read_text())["runs"] if path.exists() else []


def read_failure(folder: Path) -> dict[str, Any]:
    """The record of a failed run: error, traceback, and for a diverged one step and lr."""
    return json.loads((folder / FAILURE).read_text())


def status(sweep: Path) -> dict[str, list[str]]:
    """Run folders below `sweep`, relative to it, by state: finished, failed, running, missing.

    A run whose process was killed is missing: nothing of it counts.
    """
    states: dict[str, list[str]] = {"finished": [], "failed": [], "running": [], "missing": []}
    seen: set[str] = set()
    for state, name in (("finished", RESULT), ("failed", FAILURE)):
        states[state] = sorted(
            str(p.parent.relative_to(sweep)) for p in sweep.rglob(name) if PARTIAL not in str(p)
        )
        seen |= set(states[state])
    alive = (p for p in sweep.rglob(f"*{PARTIAL}*") if p.is_dir() and _is_alive(p))
    states["running"] = sorted({str(p.relative_to(sweep)).split(PARTIAL)[0] for p in alive})
    plans = {str(p.parent.relative_to(sweep) / run) for p in sweep.rglob(PLAN) for run in read_plan(p.parent)}
    states["missing"] = sorted(plans - seen - set(states["running"]))
    return states


def collect(sweep: Path | str) -> pd.DataFrame:
    """One row for each finished run below `sweep`, columns as in result.json and `folder` beside them.

    Raises:
        FileNotFoundError: there is no finished run; the message says what there is.
    """
    sweep = Path(sweep)
    if not sweep.is_dir():
        raise FileNotFoundError(
            f"{sweep.absolute()} is no folder; give the folder of a sweep, as outputs/NAME"
        )
    paths = sorted(p for p in sweep.rglob(RESULT) if PARTIAL not in str(p))
    if not paths:
        raise FileNotFoundError(
            f"no finished run below {sweep.absolute()}; `vision status {sweep}` says what there is"
        )
    rows = [{**json.loads(p.read_text()), "folder": str(p.parent.relative_to(sweep))} for p in paths]
    return pd.DataFrame(rows).sort_values(["label", "train_size", "seed"], ignore_index=True)


@lru_cache(maxsize=1)
def provenance() -> dict[str, Any]:
    """What a record says of its making: time, host, Python, package versions and the code's commit."""
    return {
        "host": socket.gethostname(),
        "python": sys.version.split()[0],
        "versions": {name: version(name) for name in PACKAGES},
        "commit": _commit(),
    }


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def processor() -> str:
    """Name of this machine's CPU, with its number of cores."""
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.exists()
        else []
    )
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def fingerprint(config: RunConfig) -> str:
    """SHA-256 of `settings`."""
    return hashlib.sha256(json.dumps(settings(config), sort_keys=True).encode()).hexdigest()


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


def _partials(folder: Path) -> list[Path]:
    return list(folder.parent.glob(f"{folder.name}{PARTIAL}*"))


def _is_alive(partial: Path) -> bool:
    host, _, pid = partial.name.rpartition(PARTIAL)[2].rpartition("-")
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _commit() -> str | None:
    here = Path(__file__).parent
    try:
        if Path(_git("rev-parse", "--show-toplevel", cwd=here)).resolve() != here.parent.resolve():
            return None  # an installed package inside somebody else's checkout
        commit = _git("rev-parse", "HEAD", cwd=here)
        return commit + (
            "+changes" if _git("status", "--porcelain", "--untracked-files=no", cwd=here) else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()
