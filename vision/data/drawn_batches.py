"""Batches of images in the device's memory, which a CUDA graph can make."""

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor

from vision.data.augmentation import Augmentation
from vision.data.images import to_device

Batch = tuple[Tensor, Tensor]
SENT_AT_ONCE = 100  # steps whose draws are sent to a GPU in one copy


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
