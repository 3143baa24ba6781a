"""Calibration: does a model that is 80% sure classify 80% of these images correctly?

>>> logits, labels = np.log([[0.8, 0.2], [0.6, 0.4]]), np.array([0, 1])
>>> bins = calibration_bins(logits, labels, bins=2)
>>> round(expected_calibration_error(bins), 6)
0.4
"""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

BINS = 15
Binning = Literal["equal mass", "equal width"]
BINNINGS: tuple[Binning, ...] = ("equal mass", "equal width")
BIN_COLUMNS = ("bin", "images", "confidence", "accuracy")


def calibration_bins(
    logits: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    binning: Binning = "equal mass",
    bins: int = BINS,
) -> pd.DataFrame:
    """Return confidence and accuracy of images in bins of their confidence, the largest probability.

    Args:
        logits: (N, K).
        labels: true classes (N,).
        binning: bins with equally many images (Nguyen and O'Connor, 2015), or of equal width from 0 to 1 (Guo
            et al., 2017).
        bins: how many; of equal mass no more than images.

    Returns:
        Columns bin (from 1), images, confidence (mean) and accuracy; bins without images are left out.

    Raises:
        ValueError: there are no images or no bins, the binning is unknown, or logits and labels do not fit.
    """
    if not len(labels) == len(logits) > 0:
        raise ValueError(f"calibration needs one label for each image, got {len(logits)} and {len(labels)}")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    if binning not in BINNINGS:
        raise ValueError(f"binning must be one of {', '.join(BINNINGS)}, got {binning!r}")
    probabilities = softmax(logits.astype(np.float64), axis=1)
    confidence, right = probabilities.max(axis=1), logits.argmax(axis=1) == labels
    order = np.argsort(confidence, kind="stable")
    numbers = (
        _equal_mass(len(labels), bins) if binning == "equal mass" else _equal_width(confidence[order], bins)
    )
    counts = np.bincount(numbers)
    known = counts.nonzero()[0]
    sums = [np.bincount(numbers, values[order])[known] for values in (confidence, right)]
    columns = (known, counts[known], *(total / counts[known] for total in sums))
    return pd.DataFrame(dict(zip(BIN_COLUMNS, columns, strict=True)))


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Return the mean distance between confidence and accuracy over the bins, weighted by their images.

    It is NaN where logits are not finite, so that the confidence of some images is unknown.
    """
    distance = (bins["confidence"] - bins["accuracy"]).abs()
    return float((distance * bins["images"]).sum(skipna=False) / bins["images"].sum())


def _equal_mass(images: int, bins: int) -> NDArray[np.integer]:
    return np.arange(images) * min(bins, images) // images + 1


def _equal_width(confidence: NDArray[np.floating], bins: int) -> NDArray[np.integer]:
    """Number the bins (0, 1/bins], (1/bins, 2/bins] and so on; an unknown confidence is in the last one."""
    return np.ceil(np.nan_to_num(confidence, nan=1.0) * bins).clip(1, bins).astype(np.int64)
