"""Where the lead changes, in sentences, and what sizes far apart leave open.

>>> far_apart([100, 200, 500])
[]
>>> far_apart([100, 400])[0]
'Training-set sizes differ by more than a factor of 2.5 between 100 and 400 images.'
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from vision.report.wording.names import sentence, the
from vision.statistics import Comparison, Crossing
from vision.text import listing, sizes

WIDE = 2.5  # ratio of neighbouring sizes from which on interpolation adds to the uncertainty
FAR = 5.0  # ratio up to which the coverage of the intervals was measured


def crossing_sentences(comparison: Comparison) -> list[str]:
    """Return who is ahead up to where, for each significant change of the lead."""
    *_, latest = found = comparison.crossings
    sentences = [f"The lead changes {_times(len(found))}."] if len(found) > 1 else []
    for index, crossing in enumerate(found):
        sentences += _crossing(crossing, "then " if index else "")
    first, second = comparison.models
    last = second if latest.leader == first else first
    start = f"{latest.between[1]:,} images on" if _has_no_location(latest) else "there"
    return [*sentences, f"From {start} {the(last)} is ahead."]


def leaders_by_size(comparison: Comparison) -> str:
    """Return at which sizes each model leads: "The CNN is ahead at 100 and 5,000 images, the ViT at 500."."""
    (leader, led), *others = comparison.led.items()
    rest = (f"{the(name)} at {sizes(own)}" for name, own in others)
    return sentence(", ".join([f"{the(leader)} is ahead at {sizes(led)} images", *rest]))


def location(crossing: Crossing) -> str:
    """Return where a crossing is in a few words, such as "about 1,900 (1,200 to 2,700)"."""
    if _has_no_location(crossing):
        return f"between {crossing.between[0]:,} and {crossing.between[1]:,}"
    size, low, high = map(_two_digits, (crossing.size, crossing.low, crossing.high))
    return f"about {size} ({low} to {high})"


def far_apart(train_sizes: Sequence[int]) -> list[str]:
    """Return a warning where neighbouring sizes are so far apart that much is interpolated."""
    gaps = [(one, other) for one, other in pairwise(train_sizes) if other > WIDE * one]
    if not gaps:
        return []
    warnings = [
        f"Training-set sizes differ by more than a factor of {WIDE:g} between {_spans(gaps)}.",
        "Crossings and numbers of images there are interpolated, and their intervals are wide.",
    ]
    if far := [(one, other) for one, other in gaps if other > FAR * one]:
        warnings.append(
            f"Beyond a factor of {FAR:g} ({_spans(far)}) the coverage of these intervals is unknown."
        )
    return warnings


def _crossing(crossing: Crossing, then: str) -> list[str]:
    start, end = crossing.between
    ahead = f"{then}{the(crossing.leader)} is ahead"
    if crossing.times > 1:
        return [
            sentence(f"{ahead} at {start:,} images"),
            f"Between {start:,} and {end:,} images the means cross {_times(crossing.times)}.",
        ]
    if _has_no_location(crossing):
        return [
            sentence(f"{ahead} at {start:,} images"),
            f"The curves cross between {start:,} and {end:,} images, which are too far apart to say where.",
        ]
    low, high = _two_digits(crossing.low), _two_digits(crossing.high)
    return [
        sentence(f"{ahead} up to about {_two_digits(crossing.size)} images (95% interval {low} to {high})")
    ]


def _has_no_location(crossing: Crossing) -> bool:
    """Return whether the crossing is not at one size, or at one that was not measured."""
    return crossing.times > 1 or crossing.factor > FAR


def _times(count: int) -> str:
    return {2: "twice"}.get(count, f"{count} times")


def _spans(gaps: Sequence[tuple[int, int]]) -> str:
    return f"{listing(f'{one:,} and {other:,}' for one, other in gaps)} images"


def _two_digits(size: float) -> str:
    """Return a number of images with two significant digits."""
    digits = max(0, math.floor(math.log10(size)) - 1)
    return f"{round(size / 10**digits) * 10**digits:,}"
