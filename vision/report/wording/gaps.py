"""What is missing, left out or cannot be tested, in sentences.

>>> lacking_runs("D", [1000, 10_000])
'D has no runs with 1,000 and 10,000 images.'
"""

from collections.abc import Mapping, Sequence

from vision.text import first_few, listing, percent, sizes

SHOWN = 3
STATES = {
    **{"failed": "has failed", "running": "is running", "missing": "is missing"},
    "damaged": "is damaged",
}
ONE_SEED = (
    "There is one seed only, so no interval is drawn and nothing can be tested. "
    "Train with more seeds, such as seed=0,1,2."
)
ONE_SIZE = "There is one training-set size only: no curve, no crossing, no law."
TWO_SIZES = "Two training-set sizes are too few for a scaling law, which needs three."


def unfinished(states: Mapping[str, Sequence[str]], *, shown: int) -> str:
    """Return how many runs of a sweep are not finished, and how many are shown."""
    counts = listing(
        _agree(f"{len(runs)} {STATES[state]}", len(runs)) for state, runs in _incomplete(states).items()
    )
    total = sum(map(len, states.values()))
    return f"This sweep is not finished: of {total} runs, {counts}. This page shows {shown}."


def not_included(states: Mapping[str, Sequence[str]]) -> str:
    """Return the same in short, such as "Not included: 2 failed and 1 missing."."""
    counts = listing(f"{len(runs)} {state}" for state, runs in _incomplete(states).items())
    return f"Not included: {counts}."


def without_metric(label: str | None, count: int, metric: str, *, any_left: bool) -> str:
    """Return that runs, of one model unless label is None, are left out because they have no metric."""
    of = "" if label is None else f" of {label}"
    text = _agree(f"{_runs(count)}{of} has no {metric} and is left out.", count)
    return text if any_left or label is None else f"{text} No run of {label} is left."


def repeated(count: int) -> str:
    """Return that rows of a table repeat other rows, and count once."""
    rows = "1 row repeats" if count == 1 else f"{count} rows repeat"
    return f"{rows} another row of the table; each run counts once."


def without_file(file: str, folders: Sequence[str], *, of: str) -> str:
    """Return that runs are left out of a part of the page because a file is missing or altered."""
    text = _agree(f"{_runs(len(folders))} has no intact {file} and is left out of {of}", len(folders))
    return f"{text}: {first_few(folders, SHOWN)}."


def damaged(reason: str) -> str:
    """Return that a run is left out because its record is damaged."""
    return f"Left out: {reason}."


def left_out(part: str, reason: str) -> str:
    """Return that an error left out a part of the page."""
    return f"The {part} is left out: {reason.rstrip('.')}."


def lacking_runs(label: str, without: Sequence[int]) -> str:
    """Return the sizes at which a model has no runs."""
    return f"{label} has no runs with {sizes(without)} images."


def not_compared(first: str, other: str, reason: str) -> str:
    """Return why two models are not compared."""
    return f"{first} and {other} are not compared: {reason}."


def low_training_accuracy(low: int, of: int, least: float, label: str, size: int) -> str:
    """Return that models have not learned their own training images at some points."""
    where = f"all {of}" if low == of else f"{low} of {of}"
    return (
        f"Training accuracy is below 90% at {where} points, and lowest for {label} at {size:,} images "
        f"({percent(least)}). These points measure the budget or the capacity of the models, "
        "not the data alone."
    )


def falling_training_loss(late: int, of: int, most: float, label: str, size: int) -> str:
    """Return that training losses still fell when the training ended."""
    where = f"all {of}" if late == of else f"{late} of {of}"
    return (
        f"The training loss still fell at the end at {where} points, most for {label} at {size:,} images. "
        f"There, {percent(most)} of its fall came in the last fifth of the steps. "
        "A longer budget may change these points."
    )


def one_model(label: str) -> str:
    """Return that there is nothing to compare."""
    return f"There is one model only, {label}: nothing to compare it with."


def points_without_interval(count: int, total: int) -> str:
    """Return how many points have one run or subset."""
    return f"{count} of {total} points have one run or subset, and no interval."


def no_common_runs(first: str, other: str) -> str:
    """Return that two models have no predictions to compare."""
    return f"{other} and {first} have no predictions of runs with the same seed and subset"


def other_test_images(first: str, other: str) -> str:
    """Return that two models were tested on different images."""
    return f"{other} had other test images than {first}"


def _incomplete(states: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    return {state: runs for state, runs in states.items() if runs and state != "finished"}


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _agree(text: str, count: int) -> str:
    """Return the sentence with plural verbs where count is not 1."""
    return text if count == 1 else text.replace(" has ", " have ").replace(" is ", " are ")
