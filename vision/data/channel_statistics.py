"""Mean and standard deviation of each channel, by which images are normalized."""

# Tensor.tolist has no types.
# pyright: reportUnknownMemberType=false

from typing import cast

import torch
from torch import Tensor

from vision.data.encoded import EncodedImages
from vision.data.images import Images

NUMBERS_AT_ONCE = 2**24


def channel_statistics(images: Images, indices: Tensor) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel over the images at `indices`, in [0, 1].

    Args:
        images: a split.
        indices: int64 (N,), images of it.

    Raises:
        ValueError: an image cannot be decoded.
    """
    channels, height, width = images.shape
    if isinstance(images.pixels, EncodedImages):
        found = torch.zeros(len(indices), channels, 2, dtype=torch.int64)
        chosen = images.pixels.pick(cast("list[int]", indices.tolist()))
        chosen.check(lambda index, image: found.__setitem__(index, sums(image[None])))
        total = found.sum(0)
    else:
        at_once = max(1, NUMBERS_AT_ONCE // (channels * height * width))
        parts = torch.split(indices.to(images.pixels.device), at_once)
        total = torch.stack([sums(images.pixels.index_select(0, part)) for part in parts]).sum(0)
    return mean_and_std(total, len(indices) * height * width)


def sums(pixels: Tensor) -> Tensor:
    """uint8 (B, C, H, W) -> int64 (C, 2): the sum of each channel, and of its squares."""
    values = pixels.int()
    dims = (0, 2, 3)
    return torch.stack(
        [values.sum(dims, dtype=torch.int64), values.square().sum(dims, dtype=torch.int64)], dim=1
    )


def mean_and_std(total: Tensor, count: int) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel, in [0, 1].

    They are of integers, and so the same bits on every device and in every order of the images.

    Args:
        total: as `sums` returns it.
        count: number of pixels.
    """
    pairs = [(int(one), int(squares)) for one, squares in total]
    means = [one / (255 * count) for one, _ in pairs]
    deviations = [(count * squares - one**2) ** 0.5 / (255 * count) for one, squares in pairs]
    return means, deviations
