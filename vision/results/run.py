"""The folder of a run: written under a temporary name, renamed when finished, and compared with a config.

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
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import yaml

from vision.config import RunConfig, current_names
from vision.provenance import now, provenance

RESULT, FAILURE, CONFIG = "result.json", "failure.json", "config.yaml"
METRICS, PREDICTIONS, LABELS = "metrics.jsonl", "test_predictions.npy", "test_labels.npy"
LOGITS = "test_logits.npy"
PARTIAL = ".partial-"
ABANDONED_SECONDS = 24 * 3600
# Two runs that differ only in these settings are the same run: they decide where, how fast, and what is kept.
NON_IDENTIFYING = (
    "output_dir",
    "sweep",
    "save_logits",
    "data.download",
    "data.num_workers",
    "data.max_memory_fraction",
    "data.on_constant",
    "training.threads",
    "training.cuda_graph",
    "training.memory_format",
)
# Settings that runs of earlier versions did not have, with the value at which they change nothing. At that
# value they are left out, so that a run of an earlier version is the same run.
UNUSED: dict[str, Any] = {
    "data.options": {},
    "data.channels": "auto",
    "data.background": "white",
    "data.on_error": "raise",
    "data.val_from": "subset",
    "training.min_steps": None,
    "training.accumulation_steps": 1,
    "training.optimizer": "adamw",
    "training.momentum": None,
    "training.optimizer_options": {},
    "training.layer_decay": None,
    "training.schedule": "cosine",
    "training.schedule_options": {},
}


class ConfigMismatch(ValueError):
    """A folder holds a finished run of another config."""


class RunInProgress(RuntimeError):
    """Another process is computing the run of this folder."""


def run_folder(config: RunConfig) -> Path:
    """Return the folder of a run: OUTPUT_DIR/SWEEP/LABEL/nTRAIN_SIZE/sSEED.

    Characters of the label that do not suit a folder become dashes.
    """
    label = re.sub(r"[^\w.+-]+|^\.+", "-", config.model.label or config.model.name)
    return Path(config.output_dir) / config.sweep / label / f"n{config.train_size}" / f"s{config.seed}"


def settings(config: RunConfig) -> dict[str, Any]:
    """Return the settings that identify a run, by dotted name."""
    return _identifying(dict(_flatten(asdict(config))))


def load_finished(folder: Path, config: RunConfig) -> dict[str, Any] | None:
    """Return the record of the run in `folder`, or None if there is no finished one.

    A run of an earlier version, with old names of settings, counts as the same run.

    Raises:
        ConfigMismatch: the finished run there has another config; the message lists the differences.
    """
    path = folder / RESULT
    if not path.exists():
        return None
    result = read_result(folder)
    same = result["config_sha256"] == fingerprint(config)
    if not same and current_names(result.get("settings") or {}) != settings(config):
        raise ConfigMismatch(
            f"{folder} holds a finished run of another config:\n{_differences(folder, config)}\n"
            "Nothing was changed. Use another folder, for example with sweep=NAME"
        )
    return result


@contextmanager
def atomic_run_folder(folder: Path, config: RunConfig) -> Generator[Path]:
    """Yield a temporary folder next to `folder`, and rename it to `folder` when the block ends.

    If the block raises, the folder holds the traceback in failure.json and no result. A finished run
    that another process put there in the meantime is kept, and this one is deleted.

    Raises:
        RunInProgress: another process is computing this run.
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
    load_finished(folder, config)  # raises if another config was faster
    _put_in_place(partial, folder)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record as indented JSON."""
    path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")


def read_json(path: Path, *needed: str, remove: str = "its folder") -> dict[str, Any]:
    """Read what `write_json` wrote.

    Args:
        path: the file.
        needed: names that the record must have.
        remove: what the user should remove before rerunning the sweep, if the file is damaged.

    Raises:
        ValueError: the file is truncated or not valid JSON, or one of the names is missing.
    """
    remedy = f"remove {remove} and rerun the sweep"
    try:
        record = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is truncated or not valid JSON ({error}); {remedy}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path} must hold a JSON object, got {record!r}; {remedy}")
    if missing := [name for name in needed if name not in record]:
        raise ValueError(f"{path} has no {', '.join(missing)}; {remedy}")
    return cast(dict[str, Any], record)


def append_metrics(folder: Path, record: dict[str, Any]) -> None:
    """Add one line to the folder's metrics.jsonl."""
    with (folder / METRICS).open("a") as file:
        file.write(json.dumps(record) + "\n")


def read_result(folder: Path) -> dict[str, Any]:
    """Read the record of a finished run."""
    return read_json(folder / RESULT)


def read_failure(folder: Path) -> dict[str, Any]:
    """Read the record of a failed run: error, traceback, and step and lr if training diverged."""
    return read_json(folder / FAILURE, "error")


def why_failed(folder: Path) -> str:
    """Return the error of a failed run, or what is wrong with the file that should contain it."""
    try:
        return read_failure(folder)["error"]
    except ValueError as error:
        return str(error)


def fingerprint(config: RunConfig) -> str:
    """Return the SHA-256 of `settings`."""
    return hashlib.sha256(json.dumps(settings(config), sort_keys=True).encode()).hexdigest()


def is_alive(partial: Path) -> bool:
    """Return whether the process that writes into this temporary folder is still running."""
    host, _, pid = partial.name.rpartition(PARTIAL)[2].rpartition("-")
    if host != socket.gethostname():
        # Processes of another host cannot be checked: a folder untouched for a day counts as abandoned.
        return partial.exists() and time.time() - partial.stat().st_mtime < ABANDONED_SECONDS
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _differences(folder: Path, config: RunConfig) -> str:
    """List the settings in which the run in `folder` differs from `config`, one per line."""
    written = dict(_flatten(yaml.safe_load((folder / CONFIG).read_text())))
    finished, requested = _identifying(current_names(written)), settings(config)
    none = "(none)"
    return "\n".join(
        f"  {name}: {finished.get(name, none)!r} there, {requested.get(name, none)!r} requested"
        for name in sorted(finished.keys() | requested.keys())
        if finished.get(name, none) != requested.get(name, none)
    )


def _identifying(flat: dict[str, Any]) -> dict[str, Any]:
    added = {name for name, unused in UNUSED.items() if flat.get(name) == unused}
    return {name: value for name, value in flat.items() if name not in added.union(NON_IDENTIFYING)}


def _flatten(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flatten(cast(dict[str, Any], value), f"{prefix}{key}.")
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
