"""Pairs of handwritten digits side by side; the class is which of the two is the larger number.

They are built from scikit-learn's 1,797 scans of 8 x 8 pixels. Training pairs use the first 1,400 scans and
test pairs the other 397, so no scan is in both.
"""

from typing import Any

import torch
from sklearn.datasets import load_digits

from vision.config import DataConfig
from vision.data import Images, Source, register_source

CLASSES = ("left is larger", "both are equal", "right is larger")


@register_source("digit_pairs")
def load_digit_pairs(config: DataConfig) -> Source:
    """Return 5,000 training pairs and 1,000 test pairs: grey, 8 x 16 pixels, 3 classes."""
    digits: Any = load_digits()
    scans = torch.from_numpy(digits.images * (255 / 16)).round().to(torch.uint8)
    numbers = torch.from_numpy(digits.target)
    train = _pairs(scans[:1400], numbers[:1400], 5000)
    test = _pairs(scans[1400:], numbers[1400:], 1000)
    return Source(train, test, CLASSES)


def _pairs(scans: torch.Tensor, numbers: torch.Tensor, count: int) -> Images:
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randint(len(scans), (2, count), generator=generator)
    # 2 x (N, 8, 8) -> (N, 1, 8, 16)
    pixels = torch.cat((scans[left], scans[right]), dim=-1).unsqueeze(1)
    return Images(pixels, (numbers[right] - numbers[left]).sign() + 1)
