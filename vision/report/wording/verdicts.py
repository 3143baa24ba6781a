"""The cells of the table of verdicts: who leads a pair where, and where the lead changes.

>>> ahead_at([100, 200], [None, "CNN"])
'CNN: 200'
"""

from collections.abc import Sequence

from vision.report.wording.crossings import location
from vision.statistics import Comparison
from vision.text import sizes

NO_CROSSING = {
    "identical": "none: identical",
    "ahead": "none",
    "not reached": "unlikely",
    "undecided": "not ruled out",
    "average": "not ruled out",
    "open": "not ruled out",
}


def crossing_cell(comparison: Comparison) -> str:
    """Return where the lead changes, or that it does not."""
    if comparison.answer == "crosses":
        return "; ".join(location(crossing) for crossing in comparison.crossings)
    return NO_CROSSING[comparison.answer]


def ahead_at(train_sizes: Sequence[int], leaders: Sequence[str | None]) -> str:
    """Return the sizes at which each model is significantly ahead."""
    led: dict[str, list[int]] = {}
    for size, leader in zip(train_sizes, leaders, strict=True):
        if leader:
            led.setdefault(leader, []).append(size)
    if len(led) == 1 and all(leaders):
        return f"{next(iter(led))}: every size"
    return "; ".join(f"{name}: {sizes(own)}" for name, own in led.items()) or "no size"
