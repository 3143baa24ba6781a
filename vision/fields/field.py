"""The class of all fields: how one is given, read and combined.

>>> Field(Grid(1, 3), Grid(1, 3), offsets=((0, -1), (0, 0))).mask().long().tolist()
[[1, 0, 0], [1, 1, 0], [0, 1, 1]]
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vision.fields import tensors
from vision.patches import Grid

Offset = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Field:
    """Which keys each query may attend to.

    Given in one of four ways, by increasing generality: full (nothing else given); by `offsets`, the same
    for every query and clipped where they leave the key grid, as a zero-padded convolution's; by `indices`,
    the keys of each query; or by `allowed`, any mask. Offsets and indices cost time linear in the tokens.
    Fields of equal grids, offsets and stride are equal and share their mask; tensors compare by identity.

    Attributes:
        queries: grid of the queries, N_query places.
        keys: grid of the keys, N_key places.
        offsets: (row, col) of each key relative to `stride` * the query's place, without repeats.
        stride: step on the key grid between neighbouring queries, (rows, cols).
        indices: long (N_query, K), the keys of each query; -1 where it has fewer than K. A key that repeats
            is attended to as often by the backend "gather", which is the only one to allow it.
        allowed: bool (N_query, N_key), True = may attend.
    """

    queries: Grid
    keys: Grid
    offsets: tuple[Offset, ...] | None = None
    stride: Offset = (1, 1)
    indices: Tensor | None = None
    allowed: Tensor | None = None

    def __post_init__(self) -> None:
        shape = (self.queries.size, self.keys.size)
        if sum(given is not None for given in (self.offsets, self.indices, self.allowed)) > 1:
            raise ValueError("a field is given by offsets, by indices or by a mask, not by two of them")
        if self.offsets is not None and len(set(self.offsets)) != len(self.offsets):
            raise ValueError(f"offsets must not repeat, got {self.offsets}")
        if self.allowed is not None and (self.allowed.dtype != torch.bool or self.allowed.shape != shape):
            raise ValueError(
                f"allowed must be a bool tensor of shape {shape} (N_query, N_key), "
                f"got {self.allowed.dtype} of shape {tuple(self.allowed.shape)}"
            )
        if self.indices is not None:
            self._check(self.indices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    @property
    def is_full(self) -> bool:
        """True where every query may attend to every key by construction."""
        return self.offsets is None and self.indices is None and self.allowed is None

    @property
    def is_linear(self) -> bool:
        """True where the cost of attention grows with the tokens, not with their square."""
        return self.offsets is not None or self.indices is not None

    @property
    def columns(self) -> int:
        """K, the number of columns of `neighbours`; only a field by offsets or indices tells without looking.

        Raises:
            ValueError: the field is full or a mask.
        """
        if self.indices is not None:
            return self.indices.shape[1]
        if self.offsets is None:
            raise ValueError("only a field by offsets or indices has columns; this one is full or a mask")
        return len(self.offsets)

    def mask(self, device: torch.device | str = "cpu") -> Tensor:
        """() -> bool (N_query, N_key), True = may attend; kept per device, so do not write to it."""
        return tensors.mask(self, torch.device(device))

    def neighbours(self, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """() -> index (N_query, K) and valid (N_query, K): the keys of each query.

        By offsets, column j belongs to offsets[j] and K = len(offsets); by indices, it is their column j;
        else K is the largest number of keys a query has. Where `valid` is False the index is 0 and means
        nothing.
        """
        return tensors.neighbours(self, torch.device(device))

    def slots(self, device: torch.device | str = "cpu") -> Tensor:
        """() -> long (N_query, N_key): which column of `neighbours` leads to a key, K where none does.

        It reads a number per offset as a number per pair: `F.pad(numbers, (0, 1))[..., field.slots()]`.

        Raises:
            ValueError: the field is full or a mask.
        """
        return tensors.slots(self, torch.device(device))

    def reachable(self, device: torch.device | str = "cpu") -> Tensor | None:
        """() -> bool (N_query), False where a query has no key at all; None where every query has one."""
        return tensors.reachable(self, torch.device(device))

    def block_mask(self, device: torch.device | str) -> Any:
        """() -> FlexAttention's BlockMask of this field, kept per device."""
        return tensors.block_mask(self, torch.device(device))

    def __and__(self, other: "Field") -> "Field":
        """Keys allowed by both fields."""
        _same_grids(self, other)
        if self.is_full or other.is_full:
            return other if self.is_full else self
        if self._comparable(other):
            return self.with_offsets(tuple(o for o in self.offsets or () if o in set(other.offsets or ())))
        return Field(self.queries, self.keys, allowed=self.mask() & other.mask())

    def __or__(self, other: "Field") -> "Field":
        """Keys allowed by either field."""
        _same_grids(self, other)
        if self.is_full or other.is_full:
            return self if self.is_full else other
        if self._comparable(other):
            return self.with_offsets(tuple(sorted(set(self.offsets or ()) | set(other.offsets or ()))))
        return Field(self.queries, self.keys, allowed=self.mask() | other.mask())

    def with_offsets(self, offsets: tuple[Offset, ...]) -> "Field":
        """The same queries and keys, and other offsets."""
        return replace(self, offsets=offsets)

    def _key(self) -> tuple:
        return self.queries, self.keys, self.offsets, self.stride, id(self.indices), id(self.allowed)

    def _check(self, indices: Tensor) -> None:
        if indices.dtype != torch.long or indices.ndim != 2 or len(indices) != self.queries.size:
            raise ValueError(
                f"indices must be long of shape ({self.queries.size}, K), got {indices.dtype} of shape "
                f"{tuple(indices.shape)}"
            )
        if indices.numel() and (int(indices.min()) < -1 or int(indices.max()) >= self.keys.size):
            raise ValueError(
                f"indices must lie in -1 to {self.keys.size - 1}, got {indices.min()} to {indices.max()}"
            )

    def _comparable(self, other: "Field") -> bool:
        return self.offsets is not None and other.offsets is not None and self.stride == other.stride


def _same_grids(one: Field, other: Field) -> None:
    if (one.queries, one.keys) != (other.queries, other.keys):
        raise ValueError(
            "fields combine on the same grids only, got queries and keys "
            f"{one.queries}, {one.keys} and {other.queries}, {other.keys}"
        )
