"""The images and labels of given batches: from memory, or decoded by worker processes."""

import sys
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vision.data.encoded import EncodedImages
from vision.data.images import Images, to_device


def read_batches(
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
