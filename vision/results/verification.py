"""Everything that can be checked of a finished run without training it again.

>>> verify(Path("outputs/demo"))  # doctest: +SKIP
(24, {})
"""

import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import cast

import numpy as np
import yaml

from vision.config import flatten
from vision.dynamic import JsonObject
from vision.results.checksums import check_file, checked_files, read_row
from vision.results.files import CONFIG, LABELS, PREDICTIONS, RESULT
from vision.results.index import index


def verify(sweep: Path) -> tuple[int, dict[str, list[str]]]:
    """Return the number of finished runs below a folder, and what is wrong with those that are not sound.

    Checked are the checksums of each run's record and files, its place, and whether it is a copy. Its
    accuracy is compared with its predictions. Runs of versions before 4 have no checksums.
    """
    problems: dict[str, list[str]] = {}
    runs = index(sweep)
    for run in runs:
        # Without a readable record nothing is known of the files.
        found = [run.damage] if run.damage else []
        if run.record:
            found += _check_files(sweep / run.folder, run.read())
        if found:
            problems[run.folder] = found
    return len(runs), problems


def used_data(sweep: Path) -> list[tuple[list[str], JsonObject, str]]:
    """Return each data set that finished runs have used: their folders, its settings, and its fingerprint.

    The settings are those of the first of these runs by dotted name, from its config.yaml.
    """
    runs: dict[tuple[str, str], list[str]] = {}
    for run in index(sweep):
        record = run.read() if run.record else {}
        settings: JsonObject = record.get("settings") or {}
        data = {n: v for n, v in settings.items() if n.startswith("data.") and n != "data.subset_seed"}
        if fingerprint := str(record.get("data_fingerprint") or ""):
            runs.setdefault((json.dumps(data, sort_keys=True), fingerprint), []).append(run.folder)
    used: list[tuple[list[str], JsonObject, str]] = []
    for (_, fingerprint), folders in runs.items():
        with suppress(OSError, yaml.YAMLError, KeyError, TypeError):
            written = yaml.safe_load((sweep / folders[0] / CONFIG).read_text())
            used.append((folders, dict(flatten({"data": dict(written["data"])})), fingerprint))
    return used


def verify_run(folder: Path) -> list[str]:
    """Return what is wrong with the finished run in one folder."""
    try:
        return _check_files(folder, read_row(folder))
    except (ValueError, OSError) as error:
        return [str(error)]


def set_aside_damaged(folder: Path) -> list[str]:
    """Rename result.json of a damaged run, which then counts as missing; returns what is wrong."""
    problems = verify_run(folder) if (folder / RESULT).exists() else []
    if problems:
        (folder / RESULT).rename(folder / f"damaged-{secrets.token_hex(4)}-{RESULT}")
    return problems


def without_checksums(sweep: Path) -> list[str]:
    """Return the finished runs whose records have no checksums, as those of versions before 4."""
    return [run.folder for run in index(sweep) if run.record and not run.seal]


def _check_files(folder: Path, record: JsonObject) -> list[str]:
    problems: list[str] = []
    for name in checked_files(record):
        try:
            check_file(folder, name, record)
        except FileNotFoundError:
            problems.append(f"{folder / name} is missing")
        except (ValueError, OSError) as error:
            problems.append(str(error))
    return problems or _check_accuracy(folder, record)


def _check_accuracy(folder: Path, record: JsonObject) -> list[str]:
    if not ((folder / PREDICTIONS).exists() and (folder / LABELS).exists()):
        return []
    try:
        predicted, labels = (cast(np.ndarray, np.load(folder / name)) for name in (PREDICTIONS, LABELS))
        accuracy = float((predicted == labels).mean()) if predicted.shape == labels.shape else float("nan")
    except (ValueError, OSError, EOFError) as error:
        return [f"the predictions in {folder} cannot be read: {error}"]
    stated = record.get("test_accuracy")
    if isinstance(stated, (int, float)) and abs(accuracy - stated) < 1e-6:
        return []
    return [f"{folder / RESULT} has test_accuracy={stated}, but {PREDICTIONS} gives {accuracy:.6g}"]
