"""Which of two models is ahead, in sentences.

>>> the("CNN"), the("local attention")
('the CNN', 'local attention')
"""

import math

from vision.statistics import Crossing, Crossover
from vision.text import listing, points, sizes

WITH_ARTICLE = ("CNN", "ViT")
FEW_SIZES = 2  # sizes whose lead is reported with its interval
TESTED_SEPARATELY = "Each pair of models is tested separately, at level 0.05 over its sizes."


def the(label: str) -> str:
    """Return a model's label for use in a sentence: acronyms take an article, names do not."""
    return f"the {label}" if label in WITH_ARTICLE else label


def sentence(text: str) -> str:
    """Return text that starts with a capital letter and ends with a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def lead(comparison: Crossover) -> list[str]:
    """Return the answer for two models: who is ahead where, and whether the lead changes."""
    answers = {"crosses": _crosses, "ahead": _ahead_everywhere, "open": _open}
    answer = answers.get(comparison.answer, _ahead_somewhere)
    return [*answer(comparison), *_left_out(comparison), *_contradictions(comparison)]


def lead_details(comparison: Crossover) -> list[str]:
    """Return what supports the answer: the mean difference, the chance of a crossing, the number of runs."""
    details: list[str] = []
    if comparison.answer not in ("open", "crosses"):
        details += _average(comparison)
    if comparison.answer in ("not reached", "undecided"):
        details.append(
            f"The probability that the curves cross between {comparison.sizes[0]:,} and "
            f"{comparison.at_size:,} images is {comparison.crossing_probability:.2f}."
        )
    where = "Each size has" if len(comparison.sizes) > 1 else "This size has"
    return [*details, f"{where} at least {comparison.pairs} pairs of runs."]


def pair_answer(comparison: Crossover, where: str = "") -> str:
    """Return the whole answer for two models in one line, such as "CNN against ViT: ..."."""
    sentences = " ".join([*lead(comparison), *lead_details(comparison)])
    return f"{' against '.join(comparison.models)}{where}: {sentences}"


def _crosses(comparison: Crossover) -> list[str]:
    sentences: list[str] = []
    for index, crossing in enumerate(comparison.crossings):
        start = f"then {the(crossing.leader)}" if index else the(crossing.leader)
        sentences.append(
            sentence(
                f"{start} is ahead up to about {_two_digits(crossing.size)} images "
                f"(95% interval {_two_digits(crossing.low)} to {_two_digits(crossing.high)})"
            )
        )
        sentences += _several_changes(crossing)
    first, second = comparison.models
    last = second if comparison.crossings[-1].leader == first else first
    return [*sentences, f"From there {the(last)} is ahead."]


def _several_changes(crossing: Crossing) -> list[str]:
    if crossing.times < 2:
        return []
    first, last = crossing.between
    return [f"The means cross {crossing.times} times between {first:,} and {last:,} images."]


def _ahead_everywhere(comparison: Crossover) -> list[str]:
    leader = comparison.leaders[0] or ""
    if len(comparison.sizes) == 1:
        return [sentence(f"{the(leader)} is ahead at {_lead_at(comparison, 0, leader)}")]
    span = f"every size from {comparison.sizes[0]:,} to {comparison.sizes[-1]:,} images"
    indices = list(range(len(comparison.sizes)))
    return [sentence(f"{the(leader)} is ahead at {span}"), _lead_range(comparison, indices, leader)]


def _ahead_somewhere(comparison: Crossover) -> list[str]:
    leader = next(name for name in comparison.leaders if name)
    led = [index for index, name in enumerate(comparison.leaders) if name]
    others = [size for size, name in zip(comparison.sizes, comparison.leaders, strict=True) if not name]
    if len(led) <= FEW_SIZES:
        where = " and at ".join(_lead_at(comparison, index, leader, short=index != led[0]) for index in led)
        sentences = [sentence(f"{the(leader)} is ahead at {where}")]
    else:
        where = f"{sizes(comparison.sizes[index] for index in led)} images"
        sentences = [sentence(f"{the(leader)} is ahead at {where}"), _lead_range(comparison, led, leader)]
    rest = "the other sizes" if len(others) > 1 else f"{others[0]:,} images"
    sentences.append(f"At {rest} the difference is not significant.")
    if comparison.answer == "undecided":
        return [*sentences, "The data neither show nor rule out a crossing."]
    return [*sentences, f"A crossing by {comparison.sizes[-1]:,} images is unlikely."]


def _open(comparison: Crossover) -> list[str]:
    first, second = map(the, comparison.models)
    span = f"{comparison.sizes[0]:,} images"
    if len(comparison.sizes) > 1:
        span = f"any size from {comparison.sizes[0]:,} to {comparison.sizes[-1]:,} images"
    said = f"The difference between {first} and {second} is not significant at {span}."
    return [said, *_average(comparison)]


def _lead_at(comparison: Crossover, index: int, leader: str, *, short: bool = False) -> str:
    """Return "500 images (+3.0 points, 95% interval +2.2 to +3.8)", from the leader's side."""
    difference = comparison.differences[index]
    sign = 1 if leader == comparison.models[0] else -1
    low, high = sorted((sign * difference.low, sign * difference.high))
    ends = f"{points(low)} to {points(high)}"
    lead = points(sign * difference.mean)
    size = f"{comparison.sizes[index]:,}"
    return f"{size} ({lead}, {ends})" if short else f"{size} images ({lead} points, 95% interval {ends})"


def _lead_range(comparison: Crossover, indices: list[int], leader: str) -> str:
    sign = 1 if leader == comparison.models[0] else -1
    leads = [sign * comparison.differences[index].mean for index in indices]
    return f"Its mean lead there is between {points(min(leads))} and {points(max(leads))} points."


def _average(comparison: Crossover) -> list[str]:
    """Return the mean difference over the sizes: one test may show what many tests do not."""
    if comparison.average is None or len(comparison.sizes) < 2:
        return []
    mean, low, high = map(points, comparison.average)
    first, second = map(the, comparison.models)
    return [
        f"On average over the sizes the accuracy of {first} minus that of {second} is {mean} points "
        f"(95% interval {low} to {high})."
    ]


def _left_out(comparison: Crossover) -> list[str]:
    if not comparison.left_out:
        return []
    return [
        f"The models are not compared at {sizes(comparison.left_out)} images: fewer than two pairs of runs "
        "have the same seed and subset."
    ]


def _contradictions(comparison: Crossover) -> list[str]:
    """Return warnings where accuracy and error ratio disagree about who leads, or where it goes."""
    sentences: list[str] = []
    if against := comparison.against_accuracy:
        leads = listing(f"{100 * lead:.1f}" for lead in against.values())
        sentences += [
            f"Note: at {sizes(against)} images the other model has the higher mean accuracy, "
            f"by {leads} points.",
            "Runs with large errors weigh more in the mean accuracy than in the ratio of errors.",
        ]
    if trends := comparison.trends:
        gap, ratio = ("grows", "shrinks") if trends.gap_grows else ("shrinks", "grows")
        first, last = (f"{size:,}" for size in trends.sizes)
        gaps, ratios = (
            (f"{100 * value:.1f}" for value in trends.gap),
            (f"{v:.2f}" for v in trends.error_ratio),
        )
        sentences += [
            f"Note: from {first} to {last} images the accuracy gap {gap} from {' to '.join(gaps)} points.",
            f"Over the same sizes the ratio of errors {ratio} from {' to '.join(ratios)}.",
            f"Beyond {last} images one of them predicts a crossing and the other does not.",
        ]
    return sentences


def _two_digits(size: float) -> str:
    """Return a number of images with two significant digits."""
    digits = max(0, math.floor(math.log10(size)) - 1)
    return f"{round(size / 10**digits) * 10**digits:,}"
