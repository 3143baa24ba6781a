"""Which of two models is ahead, in sentences.

>>> undetectable([])
[]
"""

from vision.report.wording.crossings import crossing_sentences
from vision.report.wording.names import sentence, the
from vision.statistics import Comparison, SizeComparison
from vision.text import listing, points, sizes

FEW_SIZES = 2  # sizes whose lead is reported with its interval
TESTED_SEPARATELY = (
    "Each pair of models is tested separately. Its average lead is one test at level 0.05. "
    "Its sizes have level 0.05 together (Holm)."
)


def lead(comparison: Comparison) -> list[str]:
    """Return the answer for two models: who is ahead where, on average, and whether the lead changes."""
    answers = {
        "identical": _identical,
        "crosses": crossing_sentences,
        "ahead": _ahead_everywhere,
        "average": _ahead_on_average,
        "open": _open,
    }
    answer = answers.get(comparison.answer, _ahead_somewhere)
    return [*answer(comparison), *_left_out(comparison)]


def lead_details(comparison: Comparison, *, runs: bool = True) -> list[str]:
    """Return what supports the answer: average lead, chance of a crossing, number of runs, contradictions.

    Args:
        comparison: Two models.
        runs: False leaves out the number of runs.
    """
    details: list[str] = []
    if comparison.answer == "crosses":
        details += average_lead(comparison)
    if comparison.answer in ("not reached", "undecided") and len(comparison.sizes) > 1:
        details.append(
            f"The probability that the curves cross between {comparison.sizes[0]:,} and "
            f"{comparison.at_size:,} images is {comparison.crossing_probability:.2f}."
        )
    return [*details, *(number_of_runs(comparison) if runs else []), *_contradictions(comparison)]


def pair_answer(comparison: Comparison, *, runs: bool = True) -> str:
    """Return the whole answer for two models in one line, such as "CNN against ViT: ..."."""
    sentences = " ".join([*lead(comparison), *lead_details(comparison, runs=runs)])
    return f"{' against '.join(comparison.models)}: {sentences}"


def about(pair: tuple[str, str] | None, data: str = "") -> str:
    """Return what an answer is about, such as "CNN against ViT on digits: "; "" for no pair and no data."""
    models, where = " against ".join(pair or ()), f"on {data}" if data else ""
    named = " ".join(part for part in (models, where) if part)
    return f"{named[0].upper()}{named[1:]}: " if named else ""


def average_lead(comparison: Comparison) -> list[str]:
    """Return the global test: the average lead with its interval, and what it could not have detected."""
    if len(comparison.sizes) < 2:
        return []
    mean, low, high = comparison.average
    models = comparison.models if mean >= 0 else comparison.models[::-1]
    ahead, behind = map(the, models)
    sign = 1 if mean >= 0 else -1
    ends = " to ".join(map(points, sorted((sign * low, sign * high))))
    gain = f"{points(sign * mean)} points (95% interval {ends})"
    if comparison.leader:
        return [f"Averaged over the sizes, {ahead} is ahead of {behind} by {gain}."]
    return [
        f"Averaged over the sizes, the lead of {ahead} over {behind} is not significant: {gain}.",
        *_undetected_average(comparison),
    ]


def number_of_runs(comparison: Comparison) -> list[str]:
    """Return the least number of runs of a size, and whether they are paired."""
    where = "Each size has" if len(comparison.sizes) > 1 else "This size has"
    least = min(min(row.runs) for row in comparison.by_size)
    if comparison.paired:
        return [f"{where} at least {least} pairs of runs.", *_unmatched(comparison)]
    return [
        "The models have no seeds in common, so their runs are compared as independent (Welch's t test).",
        f"{where} at least {least} runs of each.",
    ]


def undetectable(rows: list[SizeComparison], where: str = "there") -> list[str]:
    """Return below which size a lead could not have been found at these training-set sizes."""
    known = [min(100 * row.detectable, 100.0) for row in rows if row.detectable == row.detectable]
    if not known:
        return []
    least, most = f"{min(known):.1f}", f"{max(known):.1f}"
    span = least if least == most else f"{least} to {most}"
    by_size = "" if least == most else ", depending on the size,"
    return [f"Leads below {span} points{by_size} could not have been detected reliably {where}."]


def _undetected_average(comparison: Comparison) -> list[str]:
    if comparison.detectable != comparison.detectable:
        return []
    least = f"{min(100 * comparison.detectable, 100.0):.1f}"
    return [f"An average lead below {least} points could not have been detected reliably."]


def _identical(comparison: Comparison) -> list[str]:
    first, second = map(the, comparison.models)
    largest = 100 * comparison.largest_difference
    most = f" by more than {largest:.2f} points" if largest else ""
    return [sentence(f"{first} and {second} are identical in accuracy: no pair of runs differs{most}")]


def _ahead_everywhere(comparison: Comparison) -> list[str]:
    leader = comparison.leaders[0] or ""
    if len(comparison.sizes) == 1:
        return [sentence(f"{the(leader)} is ahead at {_lead_at(comparison.by_size[0], comparison, leader)}")]
    span = f"every size from {comparison.sizes[0]:,} to {comparison.sizes[-1]:,} images"
    return [sentence(f"{the(leader)} is ahead at {span}"), *average_lead(comparison)]


def _ahead_somewhere(comparison: Comparison) -> list[str]:
    led = [row for row in comparison.by_size if row.leader]
    others = [row for row in comparison.by_size if not row.leader]
    leader = led[0].leader or ""
    if len(led) <= FEW_SIZES:
        where = " and at ".join(
            _lead_at(row, comparison, leader, short=index > 0) for index, row in enumerate(led)
        )
    else:
        where = f"{sizes(row.train_size for row in led)} images"
    rest = "the other sizes" if len(others) > 1 else f"{others[0].train_size:,} images"
    crossing = "The data neither show nor rule out a crossing."
    if comparison.answer == "not reached":
        crossing = f"A crossing by {comparison.sizes[-1]:,} images is unlikely."
    if comparison.crosses_somewhere:
        ahead = f"{the(comparison.leader or '')} is ahead on average"
        crossing = sentence(f"{ahead}, so there is a crossing, at a size that the data do not show")
    return [
        sentence(f"{the(leader)} is ahead at {where}"),
        f"At {rest} the difference is not significant.",
        *undetectable(others),
        crossing,
        *average_lead(comparison),
    ]


def _ahead_on_average(comparison: Comparison) -> list[str]:
    none = "At no single size is the difference significant."
    return [*average_lead(comparison), none, *undetectable(list(comparison.by_size))]


def _open(comparison: Comparison) -> list[str]:
    first, second = map(the, comparison.models)
    rows = list(comparison.by_size)
    if len(rows) == 1:
        mean, low, high = map(points, rows[0].lead)
        return [
            f"The difference between {first} and {second} is not significant at {rows[0].train_size:,} "
            f"images ({mean} points, 95% interval {low} to {high}).",
            *undetectable(rows),
        ]
    span = f"any size from {rows[0].train_size:,} to {rows[-1].train_size:,} images"
    none = sentence(f"{first} and {second} do not differ significantly at {span}")
    return [none, *undetectable(rows, "at a single size"), *average_lead(comparison)]


def _lead_at(row: SizeComparison, comparison: Comparison, leader: str, *, short: bool = False) -> str:
    """Return "500 images (+3.0 points, 95% interval +2.2 to +3.8)", from the leader's side."""
    sign = 1 if leader == comparison.models[0] else -1
    low, high = sorted((sign * row.lead.low, sign * row.lead.high))
    ends, gain = f"{points(low)} to {points(high)}", points(sign * row.lead.mean)
    if short:
        return f"{row.train_size:,} ({gain}, {ends})"
    return f"{row.train_size:,} images ({gain} points, 95% interval {ends})"


def _left_out(comparison: Comparison) -> list[str]:
    if not comparison.left_out:
        return []
    few = "pairs of runs have the same seed and subset" if comparison.paired else "runs of each are there"
    return [f"The models are not compared at {sizes(comparison.left_out)} images: fewer than two {few}."]


def _unmatched(comparison: Comparison) -> list[str]:
    counts = zip(comparison.unmatched, comparison.models, strict=True)
    runs = [f"{count} of {the(name)}" for count, name in counts if count]
    if not runs:
        return []
    return [f"Runs without a partner of the same seed and subset are not compared: {listing(runs)}."]


def _contradictions(comparison: Comparison) -> list[str]:
    """Return a warning where accuracy gap and error ratio disagree about where the lead goes."""
    if (trends := comparison.trends) is None:
        return []
    gap, ratio = ("grows", "shrinks") if trends.gap_grows else ("shrinks", "grows")
    first, last = (f"{size:,}" for size in trends.sizes)
    gaps = " to ".join(f"{100 * value:.1f}" for value in trends.gap)
    ratios = " to ".join(f"{value:.2f}" for value in trends.error_ratio)
    return [
        f"Note: from {first} to {last} images the accuracy gap {gap} from {gaps} points.",
        f"Over the same sizes the ratio of errors {ratio} from {ratios}.",
        f"Beyond {last} images one of them predicts a crossing and the other does not.",
    ]
