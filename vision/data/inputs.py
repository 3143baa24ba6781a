"""What a run reads: a data set, the subset to train on, the images to test on, and their normalization.

>>> inputs = load_inputs(DataConfig(name="digits", source="digits"), train_size=100)
>>> len(inputs.subset.train), len(inputs.test)
(90, 360)
"""

# Tensor.tolist has no types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from vision.config import ONLY_PROCESS, DataConfig, ProcessOfRun
from vision.data.batches import eval_batches, train_batches
from vision.data.channel_statistics import channel_statistics
from vision.data.drawn_batches import Batch
from vision.data.first_look import first_looks
from vision.data.images import Images, Source
from vision.data.part_of_batches import part_of_batches
from vision.data.sources import load_source
from vision.data.subsets import Subset, draw_subset
from vision.data.summary import summary
from vision.dynamic import JsonObject

Size = TypeVar("Size", int | str, int | None)
EVAL_BATCH_SIZE = 500
EVAL_PIXELS_ON_GPU = (
    2_000_000  # of a batch: a GPU is kept busy by 2,000 images of 32 x 32 pixels, or 40 of 224 x 224
)


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """The images of a run, and how batches of them are made.

    Attributes:
        source: the data set.
        subset: training and validation images, as indices into source.train.
        test: the test images that are scored.
        mean: the mean of each channel, in [0, 1].
        std: the standard deviation of each channel.
        config: further settings of the data.
        device: where batches are.
        process: one of the processes that train the run; it gets its own part of each batch, and of the
            images to evaluate.
    """

    source: Source
    subset: Subset
    test: Images
    mean: list[float]
    std: list[float]
    config: DataConfig
    device: torch.device
    process: ProcessOfRun = ONLY_PROCESS

    def train_batches(self, batch_size: int, *, seed: int, start: int = 0) -> Iterator[Batch]:
        """Yield augmented training batches without end; see `vision.data.train_batches`."""
        batches = train_batches(
            self.source.train,
            self.subset.train,
            batch_size=batch_size,
            seed=seed,
            start=start,
            augment=self.config.augment,
            num_classes=len(self.source.classes),
            mean=self.mean,
            std=self.std,
            device=self.device,
            workers=self.config.num_workers,
        )
        return batches if self.process.count == 1 else part_of_batches(batches, self.process)

    def summary(self) -> JsonObject:
        """Return what was read, for the record of a run; see `vision.data.summary`."""
        return summary(self.source, mean=self.mean, std=self.std)

    def eval_batches(self, images: Images, indices: Tensor | None = None) -> Iterator[Batch]:
        """Yield all images, or those at `indices`, once and without augmentation.

        Where several processes train the run, each gets its own part of them.
        """
        if self.process.count > 1:
            indices = torch.arange(len(images)) if indices is None else indices
            indices = indices.tensor_split(self.process.count)[self.process.rank]
        return eval_batches(
            images,
            indices,
            batch_size=_eval_batch_size(images.shape, self.device),
            mean=self.mean,
            std=self.std,
            device=self.device,
            workers=self.config.num_workers,
        )


def _eval_batch_size(shape: tuple[int, int, int], device: torch.device) -> int:
    if device.type == "cpu":
        return EVAL_BATCH_SIZE
    return max(1, EVAL_PIXELS_ON_GPU // (shape[1] * shape[2]))


def load_inputs(
    config: DataConfig,
    train_size: int | str,
    *,
    device: torch.device | str = "cpu",
    known: tuple[list[float], list[float]] | None = None,
    process: ProcessOfRun = ONLY_PROCESS,
) -> Inputs:
    """Read a data set, draw the training subset, and measure mean and std where none are given.

    Args:
        config: settings of the data.
        train_size: images of the training subset; an integer or "all".
        device: where images that fit, and all batches, are.
        known: mean and std that the weights of the model are for, where the config gives none. For images of
            other channels each channel gets their average.
        process: one of those that train the run.

    Raises:
        ValueError: a setting is wrong, or train_size or data.test_size is out of range.
        FileNotFoundError: data.root does not have the files.
    """
    device = torch.device(device)
    source = load_source(config, device=device)
    subset = draw_subset(
        source.train.labels,
        fit_size(train_size, source.train.labels, config.fit_sizes),
        seed=config.subset_seed,
        val_fraction=config.val_fraction,
        val_from=config.val_from,
    )
    test = _test_indices(source.test, fit_size(config.test_size, source.test.labels, config.fit_sizes))
    # Images that are not in memory are decoded once, so that a broken one does not end the run later.
    looks = first_looks(source)
    if remarks := looks.at(config, train=torch.cat((subset.train, subset.val)), test=test):
        source = replace(source, notes=source.notes.with_remarks(*remarks))
    mean, std = config.mean, config.std
    if known and mean is None:
        mean, std = (per_channel(values, source.train.shape[0]) for values in known)
    if (mean is None or std is None) and looks.train:
        mean, std = looks.train.mean_and_std(subset.train)
    if mean is None or std is None:
        mean, std = channel_statistics(source.train, subset.train)
    images = source.test if len(test) == len(source.test) else source.test.pick(test)
    return Inputs(source, subset, images, mean, std, config, device, process)


def per_channel(values: Sequence[float], channels: int) -> list[float]:
    """Return one value for each channel: the values, or their average where their number differs."""
    return list(values) if len(values) == channels else [sum(values) / len(values)] * channels


def fit_size(size: Size, labels: Tensor, sizes: Sequence[int]) -> Size | int:
    """Return a size that is one of `sizes` in the range that a stratified subset allows; others as they are.

    >>> fit_size(20, torch.arange(99), [20]), fit_size(20, torch.tensor([0, 1]), [20])
    (99, 2)
    """
    if not isinstance(size, int) or size not in sizes:
        return size
    return max(len(set(labels.tolist())), min(size, len(labels)))


def _test_indices(images: Images, size: int | None) -> Tensor:
    """Return the indices of `size` test images, the same for every seed; of all of them for None."""
    if size is None or size == len(images):
        return torch.arange(len(images))
    return draw_subset(images.labels, size, seed=0, val_fraction=0.0, setting="data.test_size").train
