"""Mean and standard deviation of each channel, by which images are normalized."""

# Tensor.tolist has no types.
# pyright: reportUnknownMemberType=false

from collections.abc import Callable
from threading import Lock
from typing import cast

import torch
from torch import Tensor

from vision.data.encoded import EncodedImages
from vision.data.images import Images

MEASURED_AT_ONCE = 1024


def channel_statistics(
    images: Images, indices: Tensor, *, look: Callable[[int, Tensor], None] | None = None
) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel over the images at `indices`, in [0, 1].

    Args:
        images: a split.
        indices: int64 (N,), images of it.
        look: called with the position in `indices` and the pixels (C, H, W) of each encoded image.

    Raises:
        ValueError: an image cannot be decoded.
    """
    # Integer counts give the same bits on every device and in every order.
    counts = torch.zeros(images.shape[0], 256, dtype=torch.int64)
    lock = Lock()

    def add_one(index: int, image: Tensor) -> None:
        add(image)
        if look is not None:
            look(index, image)

    def add(x: Tensor) -> None:
        found = torch.stack([plane.flatten().bincount(minlength=256) for plane in x.unbind(dim=-3)])
        with lock:
            counts.add_(found.cpu())

    if isinstance(images.pixels, EncodedImages):
        images.pixels.pick(cast("list[int]", indices.tolist())).check(add_one)
    else:
        for some in torch.split(indices.to(images.pixels.device), MEASURED_AT_ONCE):
            add(images.pixels.index_select(0, some))
    share = counts / counts.sum(dim=1, keepdim=True, dtype=torch.float64)
    levels = torch.arange(256, dtype=torch.float64) / 255
    means = share @ levels
    deviations = (share * (levels - means[:, None]).square()).sum(dim=1).sqrt()
    return [float(mean) for mean in means], [float(std) for std in deviations]
