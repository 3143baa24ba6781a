"""The class of all fields: how one is given, read and combined.

>>> from vision.patches import Grid
>>> Field(Grid(1, 3), Grid(1, 3), offsets=((0, -1), (0, 0))).mask().long().tolist()
[[1, 0, 0], [1, 1, 0], [0, 1, 1]]
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import torch
from torch import Tensor

from vision.patches import Grid, given_grid
from vision.tracing import cached, is_traced

Offset = tuple[int, int]
Arguments = ParamSpec("Arguments")
Tensors = TypeVar("Tensors")
Method = Callable[Concatenate["Field", Arguments], Tensors]


def _cached_per_device(build: Method[Arguments, Tensors]) -> Method[Arguments, Tensors]:
    """Cache a method with the argument `device`; "cpu" and torch.device("cpu") are the same one."""
    build_once = cast(Callable[..., Tensors], cached(maxsize=256)(build))

    @wraps(build)
    def read(field: "Field", device: torch.device | str = "cpu") -> Tensors:
        return build_once(field, torch.device(device))

    return cast(Any, read)


@dataclass(frozen=True, eq=False)
class Field:
    """Which keys each query may attend to.

    A field is given in one of four ways, from special to general:

    - full: nothing else is given.
    - `offsets`: the same for every query, clipped at the border of the key grid as a zero-padded convolution.
    - `indices`: the keys of each query.
    - `allowed`: any mask.

    Offsets and indices cost time linear in the number of tokens. Fields with equal grids, offsets and stride
    are equal and share their cached tensors. `indices` and `allowed` are compared by identity.

    Attributes:
        queries: grid of the N_query queries.
        keys: grid of the N_key keys.
        offsets: (row, col) of each key relative to `stride` * the query's position, without repeats.
        stride: step on the key grid between neighbouring queries, (rows, cols).
        indices: long (N_query, K), the keys of each query; -1 where it has fewer than K. Only the backend
            "gather" supports a key that repeats; it is attended to once per repeat.
        allowed: bool (N_query, N_key), True = may attend.

    Raises:
        ValueError: more than one of offsets, indices and allowed is given, or a shape or value does not fit.
    """

    queries: Grid
    keys: Grid
    offsets: tuple[Offset, ...] | None = None
    stride: Offset = (1, 1)
    indices: Tensor | None = None
    allowed: Tensor | None = None

    def __post_init__(self) -> None:
        for name, grid in (("queries", self.queries), ("keys", self.keys)):
            if not isinstance(cast(object, grid), Grid):
                raise ValueError(f"{name} of a field must be on a Grid, got {grid!r}")
        if sum(given is not None for given in (self.offsets, self.indices, self.allowed)) > 1:
            raise ValueError("a field is given by offsets, by indices or by a mask, not by two of them")
        if self.offsets is not None and len(set(self.offsets)) != len(self.offsets):
            raise ValueError(f"offsets must not repeat, got {self.offsets}")
        if self.allowed is not None:
            self._check_allowed(self.allowed)
        if self.indices is not None:
            self._check_indices(self.indices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    @property
    def is_full(self) -> bool:
        """Whether every query may attend to every key by construction."""
        return self.offsets is None and self.indices is None and self.allowed is None

    @property
    def is_linear(self) -> bool:
        """Whether the cost of attention grows linearly with the number of tokens."""
        return self.offsets is not None or self.indices is not None

    @property
    def columns(self) -> int:
        """K, the number of columns of `neighbours`, known without building them.

        Raises:
            ValueError: the field is full or a mask.
        """
        if self.indices is not None:
            return self.indices.shape[1]
        if self.offsets is None:
            raise ValueError("columns needs a field by offsets or indices, got the full one or a mask")
        return len(self.offsets)

    @_cached_per_device
    def mask(self, device: torch.device | str = "cpu") -> Tensor:
        """Return bool (N_query, N_key), True = may attend; cached per device, so do not write to it."""
        if self.allowed is not None:
            return self.allowed.to(device)
        if self.is_full:
            return torch.ones(self.queries.size, self.keys.size, dtype=torch.bool, device=device)
        return self.slots(device) < self.columns

    @_cached_per_device
    def neighbours(self, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """Return the keys of each query: index (N_query, K) and valid (N_query, K).

        By offsets, column j belongs to offsets[j] and K = len(offsets). By indices, column j is theirs. Else
        K is the largest number of keys of any query. Where `valid` is False, the index is 0 and not a key.
        Cached per device, so do not write to them.
        """
        if self.indices is not None:
            index = self.indices.to(device)
            return index.clamp(min=0), index >= 0
        if self.offsets is None:
            allowed = self.mask(device)
            valid, index = allowed.to(torch.uint8).sort(dim=1, descending=True, stable=True)
            count = max(1, int(allowed.sum(1).max()))
            valid = valid[:, :count].bool()
            return index[:, :count].masked_fill(~valid, 0), valid
        # (N_query, 1) + (K,) -> (N_query, K), for rows and for columns
        query = torch.arange(self.queries.size, device=device)[:, None]
        steps = torch.tensor(self.offsets, dtype=torch.long, device=device).reshape(-1, 2)
        at = query // self.queries.cols
        row = at * self.stride[0] + steps[:, 0]
        col = (query - at * self.queries.cols) * self.stride[1] + steps[:, 1]
        valid = (row >= 0) & (row < self.keys.rows) & (col >= 0) & (col < self.keys.cols)
        return (row * self.keys.cols + col).masked_fill(~valid, 0), valid

    @_cached_per_device
    def slots(self, device: torch.device | str = "cpu") -> Tensor:
        """Return long (N_query, N_key): the column of `neighbours` that holds each key, K where none does.

        It expands a number per offset to a number per pair: `F.pad(numbers, (0, 1))[..., field.slots()]`.
        Cached per device, so do not write to it.

        Raises:
            ValueError: the field is full or a mask.
        """
        count = self.columns
        index, valid = self.neighbours(device)
        # Invalid neighbours are written to a spare column, which is cut off again.
        slots = torch.full((self.queries.size, self.keys.size + 1), count, dtype=torch.long, device=device)
        numbers = torch.arange(count, device=device).expand_as(index)
        slots.scatter_(1, index.masked_fill(~valid, self.keys.size), numbers)
        return slots[:, :-1].contiguous()

    @_cached_per_device
    def reachable(self, device: torch.device | str = "cpu") -> Tensor | None:
        """Return bool (N_query), False where a query has no key at all; None where every query has one."""
        if self.is_full:
            return None
        allowed = self.neighbours(device)[1] if self.allowed is None else self.allowed.to(device)
        has_key = allowed.any(1)
        # The values of a tensor cannot be read while tracing: return the rows whether needed or not.
        unreadable = is_traced() or has_key.is_meta or type(has_key) is not Tensor
        return has_key if unreadable or not has_key.all() else None

    def __and__(self, other: "Field") -> "Field":
        """Return the field of the keys allowed by both."""
        self._check_grids(other)
        if self.is_full or other.is_full:
            return other if self.is_full else self
        if self.offsets is not None and other.offsets is not None and self.stride == other.stride:
            return self.with_offsets(tuple(offset for offset in self.offsets if offset in set(other.offsets)))
        return Field(self.queries, self.keys, allowed=self.mask() & other.mask())

    def __or__(self, other: "Field") -> "Field":
        """Return the field of the keys allowed by either."""
        self._check_grids(other)
        if self.is_full or other.is_full:
            return self if self.is_full else other
        if self.offsets is not None and other.offsets is not None and self.stride == other.stride:
            return self.with_offsets(tuple(sorted({*self.offsets, *other.offsets})))
        return Field(self.queries, self.keys, allowed=self.mask() | other.mask())

    def on(self, grid: Grid | None) -> "Field":
        """Return the same offsets, or the full field, with queries and keys on another grid.

        Args:
            grid: the other grid; None leaves the field as it is.

        Raises:
            ValueError: the field is one of indices or of a mask, or its queries and keys differ.
        """
        if (other := given_grid(grid)) is None:
            return self
        if self.indices is not None or self.allowed is not None:
            raise ValueError(
                f"a field by indices or a mask exists on its own grid only, {self.queries}, got {other}"
            )
        if self.queries != self.keys:
            raise ValueError(f"queries and keys must be on one grid, got {self.queries} and {self.keys}")
        return replace(self, queries=other, keys=other)

    def with_offsets(self, offsets: tuple[Offset, ...]) -> "Field":
        """Return the field with the same queries and keys, and other offsets."""
        return replace(self, offsets=offsets)

    def _identity(self) -> tuple[object, ...]:
        return self.queries, self.keys, self.offsets, self.stride, id(self.indices), id(self.allowed)

    def _check_grids(self, other: "Field") -> None:
        if (self.queries, self.keys) != (other.queries, other.keys):
            raise ValueError(
                "fields combine on the same grids only, got queries and keys "
                f"{self.queries}, {self.keys} and {other.queries}, {other.keys}"
            )

    def _check_allowed(self, allowed: Tensor) -> None:
        shape = (self.queries.size, self.keys.size)
        if allowed.dtype != torch.bool or allowed.shape != shape:
            raise ValueError(
                f"allowed must be a bool tensor of shape {shape} (N_query, N_key), "
                f"got {allowed.dtype} of shape {tuple(allowed.shape)}"
            )

    def _check_indices(self, indices: Tensor) -> None:
        if indices.dtype != torch.long or indices.ndim != 2 or len(indices) != self.queries.size:
            raise ValueError(
                f"indices must be long of shape ({self.queries.size}, K), got {indices.dtype} of shape "
                f"{tuple(indices.shape)}"
            )
        if indices.numel() and (int(indices.min()) < -1 or int(indices.max()) >= self.keys.size):
            raise ValueError(
                f"indices must lie in -1 to {self.keys.size - 1}, got {indices.min()} to {indices.max()}"
            )
