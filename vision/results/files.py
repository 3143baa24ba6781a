"""The files of a run's folder: their names, and how they are written and read.

>>> sorted(OURS)[:2]
['config.json', 'config.yaml']
"""

import json
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import cast

from vision.dynamic import JsonObject
from vision.saved_files import RESULT as RESULT
from vision.saved_files import check_regular

FAILURE, CONFIG = "failure.json", "config.yaml"
METRICS, PREDICTIONS, LABELS = "metrics.jsonl", "test_predictions.npy", "test_labels.npy"
LOGITS = "test_logits.npy"
HEADS, HEADS_AT_START = "heads", "heads_at_start"  # what a line of metrics.jsonl has with log_inside
WEIGHTS, MODEL = "model.safetensors", "config.json"  # written by vision.models.save_model
LOCK, RESERVED, RESERVED_FILES, PROGRESS = "lock.json", "reserved", "reserved.files", "progress.json"
OF_ATTEMPTS = frozenset((LOCK, RESERVED, RESERVED_FILES, PROGRESS))  # only while a run goes on
OURS = OF_ATTEMPTS.union((RESULT, FAILURE, CONFIG, METRICS, PREDICTIONS, LABELS, LOGITS, WEIGHTS, MODEL))
TEMPORARY = ".writing-"


def write_json(path: Path, record: JsonObject) -> None:
    """Write a record as indented JSON; after a crash the file is either whole or not there."""
    write_text(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name, and give it its own when it is on the disk."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{secrets.token_hex(4)}")
    try:
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path, *needed: str, remove: str = "its folder") -> JsonObject:
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
        check_regular(path)
        record = json.loads(path.read_text())
    except FileNotFoundError:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is truncated or not valid JSON ({error}); {remedy}") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); {remedy}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path} must hold a JSON object, got {record!r:.60}; {remedy}")
    if missing := [name for name in needed if name not in record]:
        raise ValueError(f"{path} has no {', '.join(missing)}; {remedy}")
    return cast(JsonObject, record)


def sync_folder(folder: Path) -> None:
    """Wait until the files of a folder and their names are on the disk."""
    for path in (*folder.iterdir(), folder):
        if path.is_dir() and path != folder:
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            with suppress(OSError):  # some file systems cannot sync a folder
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def clear_away(old: Path, *, into: Path | None = None) -> None:
    """Remove a run's folder. Files that no run writes are moved `into` another folder; None removes them."""
    if into is not None:
        for path in list(old.iterdir()):
            if path.name not in OURS and not path.name.startswith(TEMPORARY):
                taken = (into / path.name).exists()
                path.rename(into / (f"{path.name}.{secrets.token_hex(4)}" if taken else path.name))
    # Under another name first, so that nobody takes a half-removed folder for a run.
    doomed = old.with_name(f".{old.name}.removed-{secrets.token_hex(4)}")
    with suppress(FileNotFoundError):
        old.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
