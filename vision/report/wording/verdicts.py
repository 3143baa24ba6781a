"""The cells of the table of verdicts: who leads a pair where, and where the lead changes.

>>> ahead_at(compare_models(records, "CNN", "ViT"))  # doctest: +SKIP
'CNN: 200'
"""

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
    if comparison.crosses_somewhere:
        return "somewhere"
    return NO_CROSSING[comparison.answer]


def ahead_at(comparison: Comparison) -> str:
    """Return the sizes at which each model is significantly ahead."""
    led = comparison.led
    if len(led) == 1 and all(comparison.leaders):
        return f"{next(iter(led))}: every size"
    return "; ".join(f"{name}: {sizes(own)}" for name, own in led.items()) or "no size"
