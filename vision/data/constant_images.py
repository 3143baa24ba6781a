"""Images of one value everywhere, and splits whose images are all equal: often a conversion went wrong.

>>> constant = ConstantImages("train")
>>> constant.add(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), str)
>>> constant.found()
'all 2 images of the train split are equal'
"""

from collections.abc import Callable
from threading import Lock

import torch
from torch import Tensor

from vision.data.encoded import is_constant
from vision.data.report import named

REMEDY = "remove them, or set data.on_constant=warn"


class ConstantImages:
    """What is constant among the images of a split, which come in any number at a time, from any thread.

    Args:
        split: what messages call the split.
    """

    def __init__(self, split: str) -> None:
        self._split, self._count, self._equal = split, 0, True
        self._names: list[str] = []
        self._first: Tensor | None = None
        self._lock = Lock()

    def add(self, images: Tensor, name: Callable[[int], str]) -> None:
        """Look at images, uint8 (B, C, H, W); `name` returns what messages call the i-th of them."""
        flags = [int(index) for index in torch.nonzero(is_constant(images))]
        with self._lock:
            self._first = images[:1].clone() if self._first is None else self._first
            self._equal = self._equal and bool((images == self._first).all())
            self._count += len(images)
            self._names += [name(index) for index in flags]

    def found(self) -> str | None:
        """Return a sentence on what is constant, if anything is."""
        if self._count > 1 and self._equal:
            return f"all {self._count:,} images of the {self._split} split are equal"
        if not self._names:
            return None
        return f"{len(self._names):,} of the {self._split} images have one value everywhere: " + named(
            self._names
        )
