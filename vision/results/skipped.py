"""Images that a run could not read and left out, from the summary of the data in its record.

>>> unreadable_images({"data_summary": {"skipped": {"unreadable images": {"count": 1, "names": ["a.png"]}}}})
'1 unreadable images: a.png'
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from vision.dynamic import JsonObject
from vision.text import first_few

UNREADABLE = "unreadable images"
MOST_NAMES = 10


def unreadable_images(record: JsonObject) -> str:
    """Return how many images a run left out, with their names; empty if none."""
    summary: object = record.get("data_summary")
    if not isinstance(summary, Mapping):  # a record of an earlier version
        return ""
    kinds: JsonObject = cast(JsonObject, summary).get("skipped") or {}
    with suppress(AttributeError, KeyError, TypeError, ValueError):  # a record that somebody has changed
        if skipped := kinds.get(UNREADABLE):
            return f"{skipped['count']:,} {UNREADABLE}: {first_few(skipped['names'], MOST_NAMES)}"
    return ""
