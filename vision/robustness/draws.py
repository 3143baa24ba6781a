"""Random numbers for a batch of images, from one generator for each image.

An image thus gets the same numbers in any batch, for every model, and whatever other images there are.

>>> torch.equal(Draws([7, 8], "fog").normal(2)[1], Draws([8], "fog").normal(2)[0])
True
"""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

SEED = 0


class Draws:
    """Random numbers of images, which are known by their numbers in the data set.

    Args:
        numbers: of the images.
        purpose: what the random numbers are for; other purposes get others.
    """

    def __init__(self, numbers: Sequence[int], purpose: str) -> None:
        # RandomState and not default_rng: numpy guarantees that its stream never changes.
        key = zlib.crc32(purpose.encode())
        self._generators = [np.random.RandomState([SEED, key, number]) for number in numbers]

    def normal(self, *shape: int) -> Tensor:
        """Return float32 (B, *shape) from the standard normal distribution."""
        return self._stack(lambda generator: generator.standard_normal(shape))

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return float32 (B, *shape), uniform from low to high."""
        return self._stack(lambda generator: generator.uniform(low, high, shape))

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Return int64 (B, *shape), uniform from low up to but not including high."""
        return self._stack(lambda generator: generator.randint(low, high, shape)).long()

    def poisson(self, rates: Tensor) -> Tensor:
        """(B, *shape) -> float32 (B, *shape): Poisson counts with these rates."""
        counts = [
            generator.poisson(rate.numpy()) for generator, rate in zip(self._generators, rates, strict=True)
        ]
        return torch.as_tensor(np.stack(counts), dtype=torch.float32)

    def orders(self, count: int) -> Tensor:
        """Return int64 (B, count): a random order of `count` things for each image."""
        return self._stack(lambda generator: generator.permutation(count)).long()

    def _stack(self, draw: Callable[[np.random.RandomState], ArrayLike]) -> Tensor:
        values = np.stack([np.asarray(draw(generator)) for generator in self._generators])
        return torch.as_tensor(values, dtype=torch.float32)
