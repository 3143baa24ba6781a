"""Rows of figures as CSV, and the records of runs as rows.

>>> write_csv(Path("benchmark.csv"), [{"row": "loop", "ratio": 0.98}])  # doctest: +SKIP
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write one line per row; the columns are all that occur, in order of appearance."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, under its name only when it is whole."""
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(json.dumps(value, indent=1, default=str) + "\n")
    unfinished.replace(path)


def read_runs(outputs: Path) -> list[Row]:
    """Return one row for each finished or failed run below `outputs`: its figures and its settings."""
    rows: list[Row] = []
    for name in ("result.json", "failure.json"):
        for file in sorted(outputs.rglob(name)):
            try:
                record = _flat(json.loads(file.read_text()))
            except ValueError:  # cut off
                continue
            rows.append({"folder": str(file.parent.relative_to(outputs)), **record})
    return rows


def _flat(record: Row) -> Row:
    settings = record.pop("settings", None) or {}
    both = {**settings, **record}
    return {name: value for name, value in both.items() if not isinstance(value, dict | list)}
