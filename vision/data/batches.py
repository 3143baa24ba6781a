"""Batches on the device: augmented ones without end for training, plain ones in order for evaluation.

Images in memory are gathered, augmented and normalized on their device. Images that do not fit in memory
are decoded by worker processes. Order and changes are the same, and so are the batches.

>>> from vision.data import Images
>>> images = Images(torch.zeros(9, 1, 8, 8, dtype=torch.uint8), torch.arange(9))
>>> batches = train_batches(images, torch.arange(9), batch_size=4, mean=[0.3], std=[0.4], seed=0)
>>> next(batches)[0].shape
torch.Size([4, 1, 8, 8])
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from vision.config import AugmentConfig
from vision.data.augmentation import Augmentation, Normalize
from vision.data.drawn_batches import Batch, DrawnBatches
from vision.data.images import Images
from vision.data.read_batches import read_batches
from vision.data.shuffled import ShuffledIndices


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
    order = ShuffledIndices(indices, batch_size, seed=2 * seed, steps=steps, start=start)
    change.skip(start, batch_size, images.shape[-1])
    if change.is_geometric and isinstance(images.pixels, Tensor) and _is_on(device, images.pixels):
        return DrawnBatches(images.pixels, images.labels.to(device), order, change)
    return (change(x, y) for x, y in read_batches(images, order, device=device, workers=workers))


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
    return ((normalize(x), y) for x, y in read_batches(images, order, device=device, workers=workers))


def _is_on(device: torch.device, tensor: Tensor) -> bool:
    """Return whether a tensor is on a device, which may be given without its index."""
    return tensor.device == torch.empty(0, device=device).device
