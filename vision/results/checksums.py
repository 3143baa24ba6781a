"""Checksums in a record: of itself and of the files next to it, written once and verified when read.

>>> is_sealed(seal({"test_accuracy": 0.9}))
True
>>> is_sealed(seal({"test_accuracy": 0.9}) | {"test_accuracy": 0.99})
False
"""

import hashlib
import json
from pathlib import Path

from vision.dynamic import JsonObject
from vision.results.files import OF_ATTEMPTS, OURS, RESULT, read_json, write_json
from vision.results.record import REQUIRED, check_version
from vision.results.record_values import check_values
from vision.saved_files import FILES, sha256

SEALED_SINCE = 4  # record_version: earlier records have no checksums
SEAL = "record_sha256"


def write_result(folder: Path, record: JsonObject) -> JsonObject:
    """Write result.json with the checksums of the record and of the run's other files; returns it."""
    files = {
        path.name: sha256(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name in OURS - OF_ATTEMPTS - {RESULT}
    }
    sealed = seal({**record, FILES: files})
    write_json(folder / RESULT, sealed)
    return sealed


def read_result(folder: Path) -> JsonObject:
    """Read the record of a finished run, and verify its own checksum, but not those of its files.

    Raises:
        ValueError: it cannot be read, is of a later version, was altered, or has a value of a wrong type.
    """
    path = folder / RESULT
    record = read_json(path)
    version = record.setdefault("record_version", 1)
    if not isinstance(version, int):
        raise ValueError(f"{path}: record_version must be an integer, such as 2, got {version!r}")
    check_version(path, version)
    if (version >= SEALED_SINCE or SEAL in record) and not is_sealed(record):
        raise ValueError(f"{path} was altered: its {SEAL} belongs to other contents")
    check_values(record, where=str(path))
    return record


def read_row(folder: Path) -> JsonObject:
    """Read the record of a finished run as `read_result`, if it can be a row of a table.

    Raises:
        ValueError: as `read_result`, or it has no label, train_size or seed, or it is in the folder of
            another size or seed.
    """
    record = read_result(folder)
    if missing := [name for name in REQUIRED if name not in record]:
        raise ValueError(
            f"{folder / RESULT} has no {', '.join(missing)}; remove its folder and rerun the sweep"
        )
    settings: JsonObject = record.get("settings") or {}
    named = [f"n{settings.get('train_size')}", f"s{settings.get('seed')}"]
    if "seed" in settings and list(folder.absolute().parts[-2:]) != named:
        raise ValueError(f"{folder / RESULT} is the record of another run: that of {'/'.join(named)}")
    return record


def checked_files(record: JsonObject) -> dict[str, str]:
    """Return the checksums in a record by name of the file; none in those of versions before 4."""
    return dict(record.get(FILES) or {})


def check_file(folder: Path, name: str, record: JsonObject) -> None:
    """Compare a file next to a record with its checksum, if the record has one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file was altered.
    """
    expected = checked_files(record).get(name)
    if expected is not None and sha256(folder / name) != expected:
        raise ValueError(f"{folder / name} was altered: its checksum is not the one in {RESULT}")


def seal(record: JsonObject) -> JsonObject:
    """Return the record with the checksum of everything else in it."""
    return {**record, SEAL: _digest(record)}


def is_sealed(record: JsonObject) -> bool:
    """Return whether the record is what was sealed."""
    return record.get(SEAL) == _digest(record)


def _digest(record: JsonObject) -> str:
    contents = {name: value for name, value in record.items() if name != SEAL}
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()
