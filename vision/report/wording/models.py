"""The best models, their scaling laws and what an advantage is worth, in sentences and cells.

>>> accuracy_cell(53.2, 50.9, 55.5, 3)
'53.2 ± 2.3 (n = 3)'
"""

import math
from collections.abc import Sequence

from vision.dynamic import TableRow
from vision.report.wording.names import sentence, the
from vision.statistics import LAWS, ScalingFit
from vision.text import listing, percent

FEW_NAMES = 4  # models below which all are named


def best_model(row: TableRow, *, models: int) -> list[str]:
    """Return who has the best mean at one size, and who is not significantly behind.

    Args:
        row: A row of `vision.statistics.ranking`.
        models: Number of models in all.
    """
    best, mean, others = the(row["best"]), percent(row["mean"]), row["models"] - 1
    if not others:
        return [sentence(f"with {row['train_size']:,} images {best} reaches {mean}")]
    partly = f", which {row['models']} of {models} models have," if row["models"] < models else ""
    return [
        f"At {row['train_size']:,} images{partly} {best} has the best mean ({mean}).",
        _not_behind(row, others),
    ]


def worth_in_images(row: TableRow, first: str, second: str) -> list[str]:
    """Return how many images of the first model are as good as a size of the second.

    Args:
        row: A row of `vision.statistics.data_equivalence` with both ends of the interval.
        first: Label of the model that needs these images.
        second: Label of the model that is reached.
    """
    return [
        sentence(
            f"{the(second)} with {row['train_size']:,} images is as good as {the(first)} with about "
            f"{row['images']:,.0f} (95% interval {row['low']:,.0f} to {row['high']:,.0f})"
        ),
        f"This is a factor of {row['worth']:.1f}.",
    ]


def images_cell(state: str, images: float, own: Sequence[int]) -> str:
    """Return the number of images that a model needs, or on which side of its sizes `own` it lies."""
    outside = {"below": f"fewer than {own[0]:,}", "above": f"more than {own[-1]:,}", "flat": "flat"}
    return outside.get(state, f"{images:,.0f}")


def images_interval(low: float, high: float, own: Sequence[int]) -> str:
    """Return the interval of a number of images; ends outside the sizes `own` are not known."""
    if math.isnan(low):
        return "-"
    start = f"fewer than {own[0]:,}" if low == 0 else f"{low:,.0f}"
    return f"{start} to {f'more than {own[-1]:,}' if math.isinf(high) else f'{high:,.0f}'}"


def law_cell(fit: ScalingFit, steps: tuple[int, int] | None = None) -> str:
    """Return the formula of a law with its parameters and their intervals, or that no law fits.

    Args:
        fit: The fitted law.
        steps: Optimizer steps at the smallest and at the largest size.
    """
    grows = ""
    if steps is not None and steps[0] != steps[1]:
        grows = f"; the budget grows with n, from {steps[0]:,} to {steps[1]:,} steps"
    if fit.fits:
        return f"{LAWS[fit.law].formula}: {fit.values_text}{grows}"
    error = percent(fit.holdout_error[fit.law])
    return f"no law fits: the best misses the error at {fit.sizes[-1]:,} images by {error}{grows}"


def other_laws(fit: ScalingFit) -> str:
    """Return the holdout errors of the laws that were not chosen."""
    return ", ".join(f"{law} {percent(error)}" for law, error in fit.holdout_error.items() if law != fit.law)


def accuracy_cell(accuracy: float, low: float, high: float, n: float) -> str:
    """Return an accuracy in percent with the longer half of its interval and n, where known."""
    half = max(high - accuracy, accuracy - low)
    spread = "" if math.isnan(half) else f" ± {half:.1f}"
    return f"{accuracy:.1f}{spread}" + ("" if math.isnan(n) else f" (n = {n:.0f})")


def _not_behind(row: TableRow, others: int) -> str:
    if row["n"] < 2:
        why = "no seed has the same images for all models" if row["n"] == 0 else "there is one common seed"
        return f"This is not tested: {why}."
    near: Sequence[str] = row["not_significantly_behind"]
    if not near:
        return "All others are significantly behind." if others > 1 else "The other is significantly behind."
    if len(near) < FEW_NAMES:
        verb = "is" if len(near) == 1 else "are"
        return sentence(f"{listing(map(the, near))} {verb} not significantly behind")
    if len(near) == others:
        return f"None of the {others} others is significantly behind."
    return f"{len(near)} of the {others} others are not significantly behind."
