"""Labelled images, with pixels in memory as one tensor, or encoded and decoded when they are read.

>>> Images(torch.zeros(5, 1, 8, 8, dtype=torch.uint8), torch.arange(5)).shape
(1, 8, 8)
"""

# Tensor.tolist has no types.
# pyright: reportUnknownMemberType=false

from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from vision.data.depth import Ranges
from vision.data.encoded import EncodedImages
from vision.data.notes import Notes


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """One split of a data set.

    Attributes:
        pixels: uint8 (N, C, H, W), or encoded images that are decoded whenever they are read.
        labels: int64 (N,), classes counted from 0.
    """

    pixels: Tensor | EncodedImages
    labels: Tensor

    def __post_init__(self) -> None:
        try:
            images, labels = len(self.pixels), len(self.labels)
        except TypeError as error:
            raise ValueError(f"pixels and labels need one entry per image: {error}") from error
        if images != labels:
            raise ValueError(
                f"pixels and labels need one entry per image, got {images} images with {labels} labels"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def resident(self) -> bool:
        """Whether all pixels are in memory."""
        return isinstance(self.pixels, Tensor)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        channels, height, width = self.pixels.shape[-3:]
        return channels, height, width

    def name(self, index: int) -> str:
        """Return what messages call image `index`."""
        return f"number {index}" if isinstance(self.pixels, Tensor) else self.pixels.name(index)

    def in_memory(self) -> Tensor:
        """Return all pixels, uint8 (N, C, H, W), on the CPU; encoded images are decoded.

        Raises:
            ValueError: an image cannot be decoded.
        """
        if isinstance(self.pixels, Tensor):
            return self.pixels.cpu()
        decoded = torch.empty(len(self), *self.shape, dtype=torch.uint8)
        self.pixels.check(decoded.__setitem__)
        return decoded

    def pick(self, indices: Tensor) -> "Images":
        """Return the images at the indices (N_picked,); encoded images stay encoded."""
        if isinstance(self.pixels, Tensor):
            return Images(self.pixels[indices], self.labels[indices])
        return Images(self.pixels.pick(cast("list[int]", indices.tolist())), self.labels[indices])


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Source:
    """A data set: a split to train on, one to test on, and the names of the classes, label 0 first.

    Attributes:
        train: the images that training subsets and validation images are drawn from.
        test: the images that a finished model is scored on.
        classes: the names of the classes, label 0 first.
        notes: what was found while the images were read.
        ranges: of the images with more than 8 bits; further images are brought to 8 bits by them.
        fingerprint: of all images and labels as they were read; `load_source` fills it in.
    """

    train: Images
    test: Images
    classes: tuple[str, ...]
    notes: Notes = field(default_factory=Notes)
    ranges: Ranges = field(default_factory=Ranges)
    fingerprint: str = ""


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on the device; a copy from the host to CUDA does not wait for earlier kernels."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
