"""Batches on the device: augmented ones without end for training, plain ones in order for evaluation.

Images in memory are gathered, augmented and normalized on their device. Images that do not fit in memory
are decoded by worker processes. Order and changes are the same, and so are the batches.

>>> from vision.data import Images
>>> images = Images(torch.zeros(9, 1, 8, 8, dtype=torch.uint8), torch.arange(9))
>>> batches = train_batches(images, torch.arange(9), batch_size=4, mean=[0.3], std=[0.4], seed=0)
>>> next(batches)[0].shape
torch.Size([4, 1, 8, 8])
"""

# Tensor.tolist has no types.
# pyright: reportUnknownMemberType=false

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from threading import Lock
from typing import cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vision.config import AugmentConfig
from vision.data.augmentation import Augmentation, Normalize
from vision.data.encoded import EncodedImages
from vision.data.images import Images, to_device

Batch = tuple[Tensor, Tensor]
MEASURED_AT_ONCE = 1024
SENT_AT_ONCE = 100  # steps whose draws are sent to a GPU in one copy


def train_batches(
    images: Images,
    indices: Tensor,
    *,
    batch_size: int,
    mean: list[float],
    std: list[float],
    seed: int,
    augment: AugmentConfig | None = None,
    num_classes: int | None = None,
    steps: int | None = None,
    start: int = 0,
    device: torch.device | str = "cpu",
    workers: int = 0,
) -> Iterator[Batch]:
    """Yield `steps` batches, or without end: images (B, C, H, W) float32 and targets, on the device.

    Each epoch has all images once, in a new random order. Batches may span two epochs, so that each has
    batch_size images, however few there are.

    Args:
        images: the split that `indices` point into.
        indices: int64 (N,), the images to train on.
        batch_size: B.
        mean: one value per channel, in [0, 1]; see channel_statistics.
        std: one value per channel; see channel_statistics.
        seed: of order and augmentation. The order does not depend on augmentation or workers.
        augment: random changes; None makes none.
        num_classes: needed for Mixup and CutMix, which make the targets probabilities (B, num_classes);
            without them targets are int64 (B,).
        steps: number of batches, those left out included.
        start: batches to leave out at the beginning, which a run that continues has trained on.
        device: device of the batches.
        workers: processes that decode images that are not in memory.

    Raises:
        ValueError: there are no images, the batch size is odd with Mixup or CutMix, or mean and std do not
            fit the images' channels.
    """
    if not len(indices):
        raise ValueError("there are no images to train on: the subset is empty")
    device = torch.device(device)
    change = Augmentation(
        augment or AugmentConfig(),
        mean=mean,
        std=std,
        batch_size=batch_size,
        num_classes=num_classes,
        generator=torch.Generator().manual_seed(2 * seed + 1),
        device=device,
    )
    order = _Shuffled(indices, batch_size, seed=2 * seed, steps=steps, start=start)
    change.skip(start, batch_size, images.shape[-1])
    if change.is_geometric and isinstance(images.pixels, Tensor) and _is_on(device, images.pixels):
        return DrawnBatches(images.pixels, images.labels.to(device), order, change)
    return (change(x, y) for x, y in _read(images, order, device=device, workers=workers))


def eval_batches(
    images: Images,
    indices: Tensor | None = None,
    *,
    batch_size: int,
    mean: list[float],
    std: list[float],
    device: torch.device | str = "cpu",
    workers: int = 0,
) -> Iterator[Batch]:
    """Yield all images once, in the order of `indices` (None: all there are), without augmentation.

    Batches are as in train_batches, with labels int64 (B,); the last may be smaller.
    """
    if indices is None:
        indices = torch.arange(len(images))
    device = torch.device(device)
    normalize = Normalize(mean, std, device=device)
    order = torch.split(indices, batch_size) if len(indices) else ()
    return ((normalize(x), y) for x, y in _read(images, order, device=device, workers=workers))


def channel_statistics(images: Images, indices: Tensor) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel over the images at `indices`, in [0, 1].

    Raises:
        ValueError: an image cannot be decoded.
    """
    # Integer counts give the same bits on every device and in every order.
    counts = torch.zeros(images.shape[0], 256, dtype=torch.int64)
    lock = Lock()

    def add(x: Tensor) -> None:
        found = torch.stack([plane.flatten().bincount(minlength=256) for plane in x.unbind(dim=-3)])
        with lock:
            counts.add_(found.cpu())

    if isinstance(images.pixels, EncodedImages):
        images.pixels.pick(cast("list[int]", indices.tolist())).check(lambda index, image: add(image))
    else:
        for some in torch.split(indices.to(images.pixels.device), MEASURED_AT_ONCE):
            add(images.pixels.index_select(0, some))
    share = counts / counts.sum(dim=1, keepdim=True, dtype=torch.float64)
    levels = torch.arange(256, dtype=torch.float64) / 255
    means = share @ levels
    deviations = (share * (levels - means[:, None]).square()).sum(dim=1).sqrt()
    return [float(mean) for mean in means], [float(std) for std in deviations]


def _is_on(device: torch.device, tensor: Tensor) -> bool:
    """Return whether a tensor is on a device, which may be given without its index."""
    return tensor.device == torch.empty(0, device=device).device


class DrawnBatches(Iterator[Batch]):
    """Batches of images in the device's memory, each a function of one tensor that is drawn on the CPU.

    A CUDA graph can make them: it reads the draw of each step from a fixed tensor.

    Args:
        pixels: uint8 (N, C, H, W), on the device.
        labels: int64 (N,), on the device.
        order: indices (B,) of each batch.
        augmentation: flip, crop and normalization.

    Attributes:
        draws: those of the batches that have not been made yet: int64 (D, B), on the device.
    """

    def __init__(
        self, pixels: Tensor, labels: Tensor, order: Iterable[Tensor], augmentation: Augmentation
    ) -> None:
        self._pixels, self._labels, self._augmentation = pixels, labels, augmentation
        self.draws = self._draw(order)

    def __next__(self) -> Batch:
        """Return the next batch."""
        return self.make(next(self.draws))

    def make(self, draw: Tensor) -> Batch:
        """Return images float32 (B, C, H, W) and labels (B,), by operations on the device alone."""
        indices, *changes = draw.unbind(0)
        images = self._augmentation.geometry(self._pixels.index_select(0, indices), changes)
        return images, self._labels.index_select(0, indices)

    def _draw(self, order: Iterable[Tensor]) -> Iterator[Tensor]:
        """Draw the steps in order; on a GPU many of them are sent in one copy."""
        at_once = SENT_AT_ONCE if self._pixels.is_cuda else 1
        order, width = iter(order), self._pixels.shape[-1]
        while indices := list(islice(order, at_once)):
            draws = [torch.stack([i, *self._augmentation.draw(len(i), width)]) for i in indices]
            yield from to_device(torch.stack(draws), self._pixels.device).unbind(0)


class _Shuffled(Iterable[Tensor]):
    """Batches of indices (B,) cut from one shuffle after another."""

    def __init__(
        self, indices: Tensor, batch_size: int, *, seed: int, steps: int | None, start: int = 0
    ) -> None:
        self.indices, self.batch_size, self.seed, self.steps = indices.cpu(), batch_size, seed, steps
        self.start = start

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        left = self.indices[:0]
        step = 0
        while self.steps is None or step < self.steps:
            while len(left) < self.batch_size:
                left = torch.cat((left, self.indices[torch.randperm(len(self.indices), generator=generator)]))
            if step >= self.start:
                yield left[: self.batch_size]
            left = left[self.batch_size :]
            step += 1


def _read(
    images: Images, order: Iterable[Tensor], *, device: torch.device, workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pixels uint8 (B, C, H, W) and labels (B,) on the device for each batch of indices."""
    pixels = images.pixels
    if isinstance(pixels, EncodedImages):
        yield from _stream(pixels, images.labels, order, device=device, workers=workers)
        return
    labels = images.labels.to(pixels.device)
    for indices in order:
        here = to_device(indices, pixels.device)
        yield to_device(pixels.index_select(0, here), device), to_device(labels.index_select(0, here), device)


def _stream(
    images: EncodedImages, labels: Tensor, order: Iterable[Tensor], *, device: torch.device, workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Decode batches in worker processes, which return only indices and uint8 pixels."""
    # The launcher's worker processes can start others only by fork.
    forked = "fork" if workers and sys.platform == "linux" else None
    loader = DataLoader(
        _Decoded(images),
        sampler=order,  # yields batches of indices, so batch_size is None
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=forked,
        pin_memory=device.type == "cuda",
        # Otherwise it draws a seed from the global generator, which dropout uses too.
        generator=torch.Generator(),
    )
    for indices, x in loader:
        yield to_device(x, device), to_device(labels[indices], device)


class _Decoded(Dataset[tuple[Tensor, Tensor]]):
    """A data set whose items are batches: indices (B,) and pixels uint8 (B, C, H, W)."""

    def __init__(self, images: EncodedImages) -> None:
        self.images = images

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return indices, torch.stack([self.images[int(index)] for index in indices])
