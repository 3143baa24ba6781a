"""Labelled images, with pixels in memory as one tensor, or encoded and decoded when they are read.

>>> Images(torch.zeros(5, 1, 8, 8, dtype=torch.uint8), torch.arange(5)).shape
(1, 8, 8)
"""

# Tensor.tolist has no types.
# pyright: reportUnknownMemberType=false

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from vision.data.decoding import SIZE_HINT, EncodedImages, resize, sizes

CHUNK = 1024


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
        if len(self.pixels) != len(self.labels):
            raise ValueError(f"got {len(self.pixels)} images with {len(self.labels)} labels")

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

    def pick(self, indices: Tensor) -> "Images":
        """Return the images at the indices (N_picked,); encoded images stay encoded."""
        if isinstance(self.pixels, Tensor):
            return Images(self.pixels[indices], self.labels[indices])
        numbers = cast("list[int]", indices.tolist())
        items = [self.pixels.items[number] for number in numbers]
        return Images(replace(self.pixels, items=items), self.labels[indices])


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A data set: a split to train on, one to test on, and the names of the classes, label 0 first."""

    train: Images
    test: Images
    classes: tuple[str, ...]


def load_to_device(
    source: Source, *, img_size: int | None, memory_share: float, device: torch.device
) -> Source:
    """Bring all images to one shape, and to the device's memory if they fit; otherwise they stay encoded.

    Images given as a tensor stay a tensor, in the host's memory if the device has no room.

    Raises:
        ValueError: labels are not integers below the number of classes, or images have different sizes and
            img_size is None.
    """
    splits = (source.train, source.test)
    for images in splits:
        _check_labels(images.labels, source.classes)
    shapes = set[tuple[int, int, int]]().union(*map(_shapes, splits))
    if img_size is None and len({shape[1:] for shape in shapes}) > 1:
        raise ValueError(f"images have different sizes ({sizes(shapes)}, height x width); {SIZE_HINT}")
    channels = max(shape[0] for shape in shapes)
    height, width = (img_size, img_size) if img_size else next(iter(shapes))[1:]
    total = sum(map(len, splits)) * channels * height * width
    fits = total <= memory_share * min(_free_memory(device), _free_memory(torch.device("cpu")))
    train, test = (
        _load_images(images, (channels, height, width), img_size, fits, device) for images in splits
    )
    return Source(train, test, source.classes)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on the device; a copy from the host to CUDA does not wait for earlier kernels."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def _load_images(
    images: Images, shape: tuple[int, int, int], img_size: int | None, fits: bool, device: torch.device
) -> Images:
    pixels = images.pixels
    if isinstance(pixels, EncodedImages):
        pixels = EncodedImages(pixels.items, shape, img_size)
        pixels = pixels.decode_all() if fits else pixels
    else:
        if img_size is not None and pixels.shape[1:] != shape:
            pixels = torch.cat([resize(chunk, img_size) for chunk in torch.split(pixels, CHUNK)])
        pixels = pixels.expand(-1, shape[0], -1, -1)
    if fits and isinstance(pixels, Tensor):
        return Images(pixels.contiguous().to(device), images.labels)
    return Images(pixels, images.labels)


def _shapes(images: Images) -> set[tuple[int, int, int]]:
    return images.pixels.shapes() if isinstance(images.pixels, EncodedImages) else {images.shape}


def _check_labels(labels: Tensor, classes: tuple[str, ...]) -> None:
    if labels.dtype != torch.int64 or labels.ndim != 1 or not len(labels):
        raise ValueError(f"labels must be int64 (N,) with N > 0, got {labels.dtype} {tuple(labels.shape)}")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(
            f"labels must be from 0 to {len(classes) - 1} for {len(classes)} classes, "
            f"got {int(labels.min())} to {int(labels.max())}"
        )


def _free_memory(device: torch.device) -> int:
    """Return the free bytes; on Linux they include what the page cache can give back."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
