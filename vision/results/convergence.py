"""Whether a run was trained to the end: how much its training loss still fell near the end.

>>> late_loss_fall([{"step": step, "train_loss": loss} for step, loss in enumerate((2, 1, 1, 1, 1), 1)])
0.0
"""

from collections.abc import Iterable, Sequence

import numpy as np

from vision.dynamic import JsonObject

FITTED = 0.9  # training accuracy below which a budget, not the data, may limit a model
FLAT = 0.05  # largest late_loss_fall of a curve that is called flat
PARTS = 5


def late_loss_fall(curve: Sequence[JsonObject]) -> float | None:
    """Return the share of the training loss's fall that came in the last fifth of the steps.

    The fall is that of the mean loss, from the first to the last fifth. A constant slope gives 0.25.

    Args:
        curve: lines of metrics.jsonl: `train_loss` is the mean since the line before.

    Returns:
        None if a fifth has no line, because there are fewer than five, or if the loss did not fall.
    """
    ends = np.array([0, *(line["step"] for line in curve)])
    losses = np.array([line["train_loss"] for line in curve])
    part = np.ceil((ends[1:] + ends[:-1]) / 2 * PARTS / max(ends[-1], 1))  # of the middle of each interval
    if len(np.unique(part)) < PARTS:
        return None
    first, before, last = (
        float(np.average(losses[part == which], weights=np.diff(ends)[part == which]))
        for which in (1, PARTS - 1, PARTS)
    )
    return round((before - last) / (first - last), 4) if first > last else None


def undertrained(records: Iterable[JsonObject]) -> dict[str, int]:
    """Count the runs whose budget may limit them, by the sign of it: low training accuracy, late fall."""
    runs = list(records)
    accuracies, falls = (_known(runs, name) for name in ("train_accuracy", "late_loss_fall"))
    counts: dict[str, int] = {}
    if accuracies:
        counts["training accuracy below 0.9"] = sum(accuracy < FITTED for accuracy in accuracies)
    if falls:
        counts["training loss still falling"] = sum(fall > FLAT for fall in falls)
    return counts


def _known(runs: Iterable[JsonObject], name: str) -> list[float]:
    return [value for run in runs if (value := run.get(name)) is not None and value == value]
