"""The images that several runs share, stratified and in memory.

>>> choose_images(inputs.test, 1000, setting="--images").pixels.shape  # doctest: +SKIP
torch.Size([1000, 3, 32, 32])
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from vision.data import Images, draw_subset


@dataclass(frozen=True, eq=False)
class ChosenImages:
    """Images that several runs share.

    Attributes:
        pixels: uint8 (N, C, H, W).
        labels: int64 (N,).
        numbers: their places in their split.
    """

    pixels: Tensor
    labels: Tensor
    numbers: list[int] = field(default_factory=list[int])


def choose_images(split: Images, most: int | None, *, setting: str) -> ChosenImages:
    """Return at most so many images of a split, but one of each class; None returns all.

    They are stratified and always the same. `setting` names the number in an error.
    """
    numbers = torch.arange(len(split))
    if most is not None and most < len(split):
        least = len(np.unique(split.labels.numpy()))
        drawn = draw_subset(split.labels, max(most, least), seed=0, val_fraction=0.0, setting=setting)
        numbers = drawn.train
    picked = split.pick(numbers)
    return ChosenImages(picked.in_memory(), picked.labels.cpu(), numbers.numpy().tolist())
