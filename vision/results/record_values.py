"""Checks of the values in a record, so that a wrong one is named rather than met in a table or a figure.

>>> check_values({"train_size": "many"}, where="result.json")
Traceback (most recent call last):
ValueError: result.json: train_size must be an integer, got 'many'
"""

import re
from functools import cache
from math import isfinite
from typing import Any, get_type_hints

from vision.argument_types import check_type, shown
from vision.dynamic import JsonObject
from vision.results.record import REQUIRED, Record

NEVER_NULL = (*REQUIRED, "versions")
LARGEST = 2**63  # integers below it fit into a table's column
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_values(record: JsonObject, *, where: str) -> None:
    """Refuse a record with a value of the wrong kind; columns may be missing, and most may be null.

    Args:
        record: of any version.
        where: how the message calls it.

    Raises:
        ValueError: the message names the column.
    """
    hints = _hints()
    for name, value in record.items():
        if name in hints and (value is not None or name in NEVER_NULL):
            if type(value) is not hints[name]:  # most are, and this is much faster
                check_type(f"{where}: {name}", value, hints[name])
            if wanted := _wanted(name, value):
                raise ValueError(f"{where}: {name} must be {wanted}, got {shown(value)}")


def _wanted(name: str, value: object) -> str:
    """Return what a value of the right type must be, if it is something else."""
    if name.endswith("_accuracy") and isinstance(value, int | float) and not 0 <= value <= 1:
        return "from 0 to 1"
    if name == "train_size" and isinstance(value, int) and value < 1:
        return "at least 1"
    if isinstance(value, int) and abs(value) >= LARGEST:
        return "a smaller number"
    if isinstance(value, float) and not isfinite(value):
        return "a finite number"
    if name in ("label", "data") and isinstance(value, str) and _CONTROL.search(value):
        return "a name without control characters"
    return ""


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Record)
