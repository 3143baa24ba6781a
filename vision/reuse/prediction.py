"""A model's prediction for one image: the names of classes with their probabilities, the most likely first.

>>> print(ranked(torch.tensor([0.1, 0.7, 0.2]), ("cat", "dog", "owl"), top=2))
dog 0.700, owl 0.200
"""

# Tensor.tolist has no types.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Prediction:
    """The most likely classes of one image.

    Attributes:
        names: of the classes, the most likely first.
        probabilities: of these classes, in the same order.
    """

    names: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def name(self) -> str:
        """Name of the most likely class."""
        return self.names[0]

    @property
    def probability(self) -> float:
        """Probability of the most likely class."""
        return self.probabilities[0]

    def __str__(self) -> str:
        pairs = zip(self.names, self.probabilities, strict=True)
        return ", ".join(f"{name} {probability:.3f}" for name, probability in pairs)


def ranked(probabilities: Tensor, names: Sequence[str], *, top: int | None = None) -> Prediction:
    """Return the prediction of one image.

    Args:
        probabilities: of all classes (num_classes,).
        names: of all classes.
        top: how many to return at most; None is all.
    """
    values, order = torch.sort(probabilities, descending=True, stable=True)
    best = cast("list[int]", order[:top].tolist())
    return Prediction(tuple(names[i] for i in best), tuple(cast("list[float]", values[:top].tolist())))
