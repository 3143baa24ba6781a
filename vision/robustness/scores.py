"""Scores of classifiers on changed images. Each image is changed once, and given to all of them.

>>> scores(torch.eye(3), torch.eye(3), torch.tensor([0, 1, 1]))["accuracy"]
0.6666666666666666
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from vision.robustness.changes import AS_THEY_ARE, Change
from vision.robustness.classifier import Classifier
from vision.statistics import calibration_bins, expected_calibration_error

BATCH = 500  # images of 32 x 32 pixels; fewer of larger ones
PIXELS = BATCH * 32 * 32

Scores = dict[str, float]


def score_changes(
    classifiers: Sequence[Classifier],
    pixels: Tensor,
    labels: Tensor,
    numbers: Sequence[int],
    changes: Sequence[Change],
) -> Iterator[tuple[str, float, list[Scores]]]:
    """Yield a kind, a level and the scores of each classifier: first of the images as they are, at level 0.

    Args:
        classifiers: that take these images.
        pixels: uint8 (N, C, H, W).
        labels: int64 (N,).
        numbers: of the images in their data set.
        changes: of the images.
    """
    intact = _logits(classifiers, pixels, numbers, AS_THEY_ARE)
    yield AS_THEY_ARE.kind, AS_THEY_ARE.level, [scores(own, own, labels) for own in intact]
    for change in changes:
        changed = _logits(classifiers, pixels, numbers, change)
        yield change.kind, change.level, [scores(*both, labels) for both in zip(changed, intact, strict=True)]


def scores(changed: Tensor, intact: Tensor, labels: Tensor) -> Scores:
    """Return the scores of logits (N, K) for changed images, next to those for the same images as they are.

    Returns:
        accuracy: share of the changed images that are classified correctly.
        kept: the same, of those images whose intact form is classified correctly; NaN without any.
        consistency: share of the images whose class is the same in both forms.
        calibration_error: expected calibration error on the changed images, in 15 bins of equal size.
    """
    before, after = intact.argmax(1), changed.argmax(1)
    right = after == labels
    bins = calibration_bins(changed.numpy(), labels.numpy())
    return {
        "accuracy": _share(right),
        "kept": _share(right[before == labels]),
        "consistency": _share(before == after),
        "calibration_error": expected_calibration_error(bins),
    }


def _share(mask: Tensor) -> float:
    return float(mask.double().mean())


def _logits(
    classifiers: Sequence[Classifier], pixels: Tensor, numbers: Sequence[int], change: Change
) -> list[Tensor]:
    """Return the logits (N, K) of each classifier on changed images."""
    size = max(1, PIXELS // (pixels.shape[2] * pixels.shape[3]))
    outputs: list[list[Tensor]] = [[] for _ in classifiers]
    for start in range(0, len(pixels), size):
        images = change.apply(pixels[start : start + size], numbers[start : start + size])
        for own, classifier in zip(outputs, classifiers, strict=True):
            own.append(classifier.logits(images))
    return [torch.cat(own) for own in outputs]
