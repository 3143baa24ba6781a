"""The finished runs of a sweep with their records, verified, and kept in a file next to them.

The file, .records.parquet, saves reading thousands of small ones. An entry counts only as long as the stamp
of its result.json (times, size, inode) is the same. Where the file is missing, damaged or cannot be written,
the records are read.

>>> [run.folder for run in index(Path("outputs/demo"))][:1]  # doctest: +SKIP
['CNN/n100/s0']
"""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false

import json
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from vision.dynamic import JsonObject
from vision.results.checksums import SEAL, read_row
from vision.results.files import TEMPORARY
from vision.results.skipped import unreadable_images
from vision.results.walk import walk

INDEX = ".records.parquet"
LEAST = 200  # runs from which on the file is worth it


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A folder with a result.json.

    Attributes:
        folder: relative to the sweep's.
        stamp: changes when result.json does.
        damage: what is wrong with its record; empty for a sound one.
        seal: the record's checksum of itself; empty before version 4.
        config: the checksum of its settings.
        train_accuracy, late_loss_fall: as in the record; None where it has none.
        seconds: how long it took, from its start to its end; only its training if it was cut.
        unreadable: how many images it left out, with their names; empty for none.
        record: the record as JSON; empty where it was not asked for, or cannot be read.
    """

    folder: str
    stamp: str
    damage: str
    seal: str
    config: str
    train_accuracy: float | None
    late_loss_fall: float | None
    seconds: float | None
    unreadable: str
    record: str

    def read(self) -> JsonObject:
        """Return the record."""
        return json.loads(self.record)


def index(sweep: Path, finished: dict[str, str] | None = None, *, records: bool = True) -> list[FinishedRun]:
    """Return the finished runs below a folder, in the order of their names.

    Args:
        sweep: the folder.
        finished: stamps by folder, if `walk` has found them already.
        records: whether to return records too.
    """
    finished = walk(sweep).finished if finished is None else finished
    known = _load(sweep, records=records) if len(finished) >= LEAST else {}
    runs = [
        old if (old := known.get(folder)) and old.stamp == stamp else _read(sweep, folder, stamp)
        for folder, stamp in finished.items()
    ]
    if len(finished) >= LEAST and any(run is not known.get(run.folder) for run in runs):
        if not records:  # those of known runs were not loaded
            return index(sweep, finished)
        _save(sweep, runs)
    return _without_copies(runs)


def _read(sweep: Path, folder: str, stamp: str) -> FinishedRun:
    try:
        record = read_row(sweep / folder)
    except (ValueError, OSError) as error:
        return FinishedRun(folder, stamp, str(error), "", "", None, None, None, "", "")
    seal, config = (str(record.get(name, "")) for name in (SEAL, "config_sha256"))
    accuracy, fall = (_number(record.get(name)) for name in ("train_accuracy", "late_loss_fall"))
    text = json.dumps(record, separators=(",", ":"))
    unreadable, seconds = unreadable_images(record), _seconds(record)
    return FinishedRun(folder, stamp, "", seal, config, accuracy, fall, seconds, unreadable, text)


def _seconds(record: JsonObject) -> float | None:
    trained = _number(record.get("train_seconds"))
    if trained is None or record.get("continued_after"):
        return trained
    with suppress(KeyError, TypeError, ValueError):
        start, end = (datetime.fromisoformat(record[name]) for name in ("started", "finished"))
        return max(trained, (end - start).total_seconds())
    return trained


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _without_copies(runs: Iterable[FinishedRun]) -> list[FinishedRun]:
    """Mark all but the first of those runs that are one run: copies, or two of the same config in a sweep."""
    first: dict[object, str] = {}
    marked: list[FinishedRun] = []
    for run in runs:
        sweep = run.folder.rsplit("/", 3)[0] if run.folder.count("/") > 2 else ""
        keys = [key for key, known in ((run.seal, run.seal), ((sweep, run.config), run.config)) if known]
        other = next((first[key] for key in keys if key in first), None)
        if other is None:
            first |= dict.fromkeys(keys, run.folder)
        damage = run.damage or (f"{run.folder} is a copy of the run in {other}" if other else "")
        marked.append(run if damage == run.damage else replace(run, damage=damage))
    return marked


def _load(sweep: Path, *, records: bool) -> dict[str, FinishedRun]:
    import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
    import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

    names = [field.name for field in fields(FinishedRun) if records or field.name != "record"]
    try:
        table = cast(Any, pq.read_table(sweep / INDEX, columns=names, use_threads=False))
        columns: list[list[Any]] = [table[name].to_pylist() for name in names]
    except (OSError, pa.ArrowException, KeyError):
        return {}
    if not records:
        columns.append([""] * len(columns[0]))
    return {values[0]: FinishedRun(*values) for values in zip(*columns, strict=True)}


def _save(sweep: Path, runs: list[FinishedRun]) -> None:
    import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
    import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

    arrow = cast(Any, pa)
    text, number = arrow.string(), arrow.float64()
    kinds = {field.name: text if field.type is str else number for field in fields(FinishedRun)}
    columns = {name: arrow.array([getattr(run, name) for run in runs], kind) for name, kind in kinds.items()}
    temporary = sweep / f"{TEMPORARY}{INDEX}-{secrets.token_hex(4)}"
    with suppress(OSError):  # a sweep that may only be read, or a full disk
        try:
            pq.write_table(arrow.table(columns), temporary, compression="zstd")
            temporary.replace(sweep / INDEX)
        finally:
            temporary.unlink(missing_ok=True)
