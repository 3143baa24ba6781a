"""Random changes to a batch on its device, one draw per image, all from an explicit generator.

Flip and crop are in two parts: a draw on the CPU, and a change of the images that depends on it alone.

>>> choices = draw_flips(8, torch.Generator().manual_seed(0))
>>> flip(torch.zeros(8, 3, 32, 32, dtype=torch.uint8), choices).shape
torch.Size([8, 3, 32, 32])
"""

import random
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vision.config import AugmentConfig
from vision.data.images import to_device
from vision.data.policies import create_policy

Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Augmentation:
    """uint8 (B, C, H, W), labels (B,) -> float32 (B, C, H, W), targets.

    The order is flip, crop, policy, normalize, erase, mix.

    Targets are the labels, or probabilities (B, num_classes) where Mixup or CutMix is on. They are not
    smoothed: cross-entropy does that for both kinds.

    Args:
        config: which changes.
        mean: one value per channel, in [0, 1].
        std: one value per channel, in [0, 1].
        batch_size: B; even where Mixup or CutMix is on, as timm pairs first with last.
        num_classes: needed where Mixup or CutMix is on.
        generator: on the CPU, so that every device gets the same draws.
        device: where the batches are.
    """

    def __init__(
        self,
        config: AugmentConfig,
        *,
        mean: list[float],
        std: list[float],
        batch_size: int,
        num_classes: int | None,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self.config, self.generator = config, generator
        self.policy = create_policy(config) if config.policy else None
        self.normalize = Normalize(mean, std, device=device)
        self.erase = _random_erasing(config, device) if config.random_erasing else None
        self.mix = _mixup(config, batch_size, num_classes) if config.mixup or config.cutmix else None

    @property
    def is_geometric(self) -> bool:
        """Whether flip and crop are the only random changes, so that `geometry` is the whole of it."""
        return self.policy is None and self.erase is None and self.mix is None

    def draw(self, count: int, width: int) -> list[Tensor]:
        """Return what decides flip and crop of `count` images: int64 (B,) for each of the two, on the CPU."""
        draws: list[Tensor] = []
        if self.config.flip:
            draws.append(draw_flips(count, self.generator))
        if self.config.crop_padding:
            draws.append(draw_crops(count, self.config.crop_padding, width, self.generator))
        return draws

    def skip(self, batches: int, count: int, width: int) -> None:
        """Leave out the draws of as many batches of `count` images."""
        for _ in range(batches):
            self.draw(count, width)
            if not self.is_geometric:
                _draw_seed(self.generator)

    def geometry(self, images: Tensor, draws: Sequence[Tensor]) -> Tensor:
        """uint8 (B, C, H, W) -> float32 (B, C, H, W): flip, crop and normalize, by draws on any device."""
        return self.normalize(self._move(images, draws))

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Change one batch; each call draws again."""
        images = self._move(images, self.draw(len(images), images.shape[-1]))
        if self.is_geometric:
            return self.normalize(images), labels
        with _global_draws_from(self.generator):
            if self.policy is not None:
                images = torch.stack([self.policy(image) for image in images])
            x = self.normalize(images)
            if self.erase is not None:
                x = self.erase(x)
            return self.mix(x, labels) if self.mix is not None else (x, labels)

    def _move(self, images: Tensor, draws: Sequence[Tensor]) -> Tensor:
        remaining = list(draws)
        if self.config.flip:
            images = flip(images, remaining.pop(0))
        if self.config.crop_padding:
            images = crop(images, self.config.crop_padding, remaining.pop(0))
        return images


class Normalize:
    """uint8 (B, C, H, W) -> float32 (B, C, H, W): (pixel / 255 - mean) / std; a std of 0 counts as 1."""

    def __init__(self, mean: list[float], std: list[float], *, device: torch.device | str = "cpu") -> None:
        if not len(mean) == len(std) > 0:
            raise ValueError(
                f"data.mean and data.std must each have one value per channel, got {mean} and {std}"
            )
        self.shift = 255.0 * torch.tensor(mean, dtype=torch.float32, device=device).view(-1, 1, 1)
        deviation = torch.tensor([value or 1.0 for value in std], dtype=torch.float32, device=device)
        self.scale = (255.0 * deviation).reciprocal().view(-1, 1, 1)

    def __call__(self, images: Tensor) -> Tensor:
        """Raise a ValueError where the images have another number of channels."""
        if images.shape[1] != len(self.shift):
            raise ValueError(
                f"data.mean and data.std must have one value per channel, {images.shape[1]}, got "
                f"{len(self.shift)}"
            )
        return images.float().sub_(self.shift).mul_(self.scale)


def draw_flips(count: int, generator: torch.Generator) -> Tensor:
    """Return int64 (B,) for `flip`: n keeps image n, n + B mirrors it; each with probability one half."""
    return torch.arange(count) + count * torch.randint(2, (count,), generator=generator)


def flip(images: Tensor, choices: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): each image as it is or mirrored left to right, as `draw_flips` chose."""
    return torch.cat((images, images.flip(-1))).index_select(0, to_device(choices, images.device))


def draw_crops(count: int, padding: int, width: int, generator: torch.Generator) -> Tensor:
    """Return int64 (B,) for `crop`: the first pixel of each window, row by row in the padded image."""
    rows, columns = torch.randint(2 * padding + 1, (2, count), generator=generator)
    return rows * (width + 2 * padding) + columns


def crop(images: Tensor, padding: int, firsts: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): a window of each image, padded with `padding` black pixels.

    The window has the size of the image and begins where `draw_crops` chose.
    """
    count, channels, height, width = images.shape
    framed = F.pad(images, (padding,) * 4)
    firsts = to_device(firsts, images.device).view(-1, 1, 1)
    starts = _row_starts(*framed.shape, height, images.device) + firsts
    # Each row of this view is `width` adjacent pixels, so a crop is a choice of rows. This is ten times as
    # fast as advanced indexing.
    runs = framed.view(-1).unfold(0, width, 1)
    return runs.index_select(0, starts.view(-1)).view(count, channels, height, width)


@lru_cache(maxsize=8)
def _row_starts(
    count: int, channels: int, framed_height: int, framed_width: int, height: int, device: torch.device
) -> Tensor:
    """(B, C, H): positions of the first H rows of each plane in the flattened padded images."""
    plane = torch.arange(count * channels, device=device).view(count, channels, 1)
    return (plane * framed_height + torch.arange(height, device=device)) * framed_width


def _random_erasing(config: AugmentConfig, device: torch.device) -> Callable[[Tensor], Tensor]:
    """One rectangle of the mean colour, which is 0 after normalization."""
    from timm.data.random_erasing import RandomErasing

    return RandomErasing(config.random_erasing, mode="const", device=str(device))


def _mixup(config: AugmentConfig, batch_size: int, num_classes: int | None) -> Change:
    from timm.data.mixup import Mixup

    named = f"data.augment.mixup={config.mixup} or data.augment.cutmix={config.cutmix}"
    if batch_size % 2:
        raise ValueError(f"training.batch_size must be even with {named}, got {batch_size}")
    if num_classes is None:
        raise ValueError(f"{named} needs num_classes, got None")
    return Mixup(config.mixup, config.cutmix, mode="elem", label_smoothing=0.0, num_classes=num_classes)


@contextmanager
def _global_draws_from(generator: torch.Generator) -> Generator[None]:
    """Seed the CPU's global generators, which the libraries draw from, by ours; restore them afterwards."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed = _draw_seed(generator)
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would reset the generators of GPUs as well
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _draw_seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**32, (1,), generator=generator))
