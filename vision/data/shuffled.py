"""The order of the training images.

>>> [batch.tolist() for batch in ShuffledIndices(torch.arange(2), 2, seed=0, steps=2)]
[[0, 1], [1, 0]]
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


class ShuffledIndices(Iterable[Tensor]):
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
