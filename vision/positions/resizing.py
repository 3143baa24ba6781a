"""Positions on another grid: what was learned is interpolated, what is a formula is computed again.

>>> from vision.patches import Grid
>>> from vision.positions import LearnedPosition
>>> resize(LearnedPosition(Grid(8, 8), 64), Grid(12, 12)).pos_embed.shape
torch.Size([1, 144, 64])
"""

from copy import deepcopy
from dataclasses import replace
from typing import Protocol, Self, TypeVar, runtime_checkable

from torch import Tensor, nn

from vision.fields import Field, full
from vision.patches import Grid

PositionT = TypeVar("PositionT", bound=nn.Module)


@runtime_checkable
class Resizable(Protocol):
    """A position that can be brought to another grid."""

    @property
    def grid(self) -> Grid:
        """Grid of the tokens."""
        ...

    def resized(self, grid: Grid) -> Self:
        """Return a module of the same kind on another grid; this one stays as it is."""
        ...


def resize(position: PositionT, grid: Grid) -> PositionT:
    """Return a module of the same kind on another grid; `position` itself is not changed.

    Each class documents in `resized` what happens to its parameters.

    Args:
        position: what `create_position` returns, a `Rotary`, a `RelativeBias` or a `QuadraticBias`.
        grid: grid of the tokens.

    Raises:
        ValueError: it is another module, or a bias whose queries and keys are on different grids.
    """
    if isinstance(position, nn.Identity):
        return deepcopy(position)
    if not isinstance(position, Resizable):
        raise ValueError(f"only positions of this package can be resized, got {type(position).__name__}")
    return position.resized(grid)


def field_on(field: Field, grid: Grid) -> Field:
    """Return the same offsets on another grid; for any other field the full one.

    Raises:
        ValueError: queries and keys are on different grids.
    """
    if field.queries != field.keys:
        raise ValueError(
            f"a bias can be resized on one grid only, got queries on {field.queries} and keys on {field.keys}"
        )
    return full(grid) if field.offsets is None else replace(field, queries=grid, keys=grid)


def parameter_like(values: Tensor, like: nn.Parameter) -> nn.Parameter:
    """Return a copy of the values as a parameter that is trained if `like` is."""
    return nn.Parameter(values.detach().clone(), requires_grad=like.requires_grad)
