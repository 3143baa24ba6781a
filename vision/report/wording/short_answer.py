"""The answer for two models in at most three sentences, from those of `lead`.

>>> short_answer(comparison)  # doctest: +SKIP
['The CNN is ahead up to about 1,900 images (95% interval 1,200 to 2,700).', 'From there the ViT is ahead.']
"""

from vision.report.wording.crossings import crossing_sentences, leaders_by_size
from vision.report.wording.lead import average_lead, lead
from vision.statistics import Comparison

MOST = 3


def short_answer(comparison: Comparison) -> list[str]:
    """Return who is ahead, by how much on average, and whether the lead changes."""
    found, average = lead(comparison), average_lead(comparison)
    if comparison.answer == "crosses":
        changes = crossing_sentences(comparison)
        if len(comparison.crossings) > 1:  # their places are in the table of verdicts
            changes = [changes[0], leaders_by_size(comparison)]
        return [*changes, *average][:MOST]
    if comparison.answer in ("average", "identical"):
        return found[:MOST]
    if comparison.answer == "open":
        return [found[0], *(average or found[1:])][:MOST]
    crossing = [text for text in found if "crossing" in text.lower()]
    return [found[0], *average[:1], *crossing][:MOST]
