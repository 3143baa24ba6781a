"""Who may attend to whom: receptive fields as one object, read as a mask, as neighbours or as a block mask.

>>> neighbourhood(Grid(4, 4), kernel_size=3).mask()[0].nonzero().flatten().tolist()
[0, 1, 4, 5]
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

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
        return _mask(self, torch.device(device))

    def neighbours(self, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """() -> index (N_query, K) and valid (N_query, K): the keys of each query.

        By offsets, column j belongs to offsets[j] and K = len(offsets); by indices, it is their column j;
        else K is the largest number of keys a query has. Where `valid` is False the index is 0 and means
        nothing.
        """
        return _neighbours(self, torch.device(device))

    def slots(self, device: torch.device | str = "cpu") -> Tensor:
        """() -> long (N_query, N_key): which column of `neighbours` leads to a key, K where none does.

        It reads a number per offset as a number per pair: `F.pad(numbers, (0, 1))[..., field.slots()]`.

        Raises:
            ValueError: the field is full or a mask.
        """
        return _slots(self, torch.device(device))

    def reachable(self, device: torch.device | str = "cpu") -> Tensor | None:
        """() -> bool (N_query), False where a query has no key at all; None where every query has one."""
        return _reachable(self, torch.device(device))

    def block_mask(self, device: torch.device | str) -> Any:
        """() -> FlexAttention's BlockMask of this field, kept per device."""
        return _block_mask(self, torch.device(device))

    def __and__(self, other: "Field") -> "Field":
        """Keys allowed by both fields."""
        _same_grids(self, other)
        if self.is_full or other.is_full:
            return other if self.is_full else self
        if self._comparable(other):
            return _by_offsets(self, tuple(o for o in self.offsets or () if o in set(other.offsets or ())))
        return Field(self.queries, self.keys, allowed=self.mask() & other.mask())

    def __or__(self, other: "Field") -> "Field":
        """Keys allowed by either field."""
        _same_grids(self, other)
        if self.is_full or other.is_full:
            return self if self.is_full else other
        if self._comparable(other):
            return _by_offsets(self, tuple(sorted(set(self.offsets or ()) | set(other.offsets or ()))))
        return Field(self.queries, self.keys, allowed=self.mask() | other.mask())

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


def full(queries: Grid, keys: Grid | None = None) -> Field:
    """Field in which every query attends to every key: that of plain self-attention."""
    return Field(queries, keys or queries)


def neighbourhood(grid: Grid, kernel_size: int, *, dilation: int = 1, stride: int = 1) -> Field:
    """Field of the kernel_size x kernel_size patches around each query; clipped at the border.

    Args:
        grid: grid of the keys; with stride 1 also of the queries.
        kernel_size: odd number of patches across.
        dilation: step between the patches of the field.
        stride: step between queries; their grid has ceil(rows / stride) x ceil(cols / stride) places.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(
            f"kernel_size must be odd and positive, so that a field has a centre, got {kernel_size=}"
        )
    padding = dilation * (kernel_size // 2)
    return convolution(grid, kernel_size, stride=stride, padding=padding, dilation=dilation)


def convolution(
    grid: Grid,
    kernel_size: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
) -> Field:
    """Field of a zero-padded convolution; `offsets` are its kernel positions in row-major order.

    The arguments are those of torch.nn.Conv2d; the queries sit on the grid of the convolution's output.

    Raises:
        ValueError: a number is out of range, or the kernel is larger than the padded grid.
    """
    kernel, step, pad, dil = (_pair(v) for v in (kernel_size, stride, padding, dilation))
    if min(kernel) < 1 or min(step) < 1 or min(dil) < 1 or min(pad) < 0:
        raise ValueError(
            "kernel_size, stride and dilation must be at least 1 and padding at least 0, "
            f"got {kernel_size=}, {stride=}, {dilation=}, {padding=}"
        )
    sides = zip((grid.rows, grid.cols), kernel, step, pad, dil, strict=True)
    out = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides]
    if min(out) < 1:
        raise ValueError(
            f"a {kernel[0]} x {kernel[1]} kernel with {dilation=} does not fit {grid} with {padding=}; "
            "take a smaller kernel or more padding"
        )
    rows = [i * dil[0] - pad[0] for i in range(kernel[0])]
    cols = [j * dil[1] - pad[1] for j in range(kernel[1])]
    offsets = tuple((r, c) for r in rows for c in cols)
    return Field(Grid(*out), grid, offsets=offsets, stride=step)


def truncated(length: int, window: int, *, dilation: int = 1) -> Field:
    """Field of a 1-D window over a sequence of tokens: truncated self-attention, cost linear in length.

    Args:
        length: number of tokens; the grid is Grid(1, length), whatever the image's own grid is.
        window: odd number of tokens across, the query in the middle.
        dilation: step between the tokens of the window.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window must be odd and positive, so that it has a centre, got {window=}")
    grid, reach = Grid(1, length), window // 2
    return Field(grid, grid, offsets=tuple((0, d * dilation) for d in range(-reach, reach + 1)))


def kernel_positions(field: Field) -> list[Field]:
    """Split a field by offsets into one field per offset: the heads of a convolution as attention."""
    if field.offsets is None:
        raise ValueError("only a field by offsets splits into kernel positions; this one is full or a mask")
    return [_by_offsets(field, (offset,)) for offset in field.offsets]


def receptive_field(*layers: Field) -> Field:
    """Field composed over layers, the first layer first: which inputs reach each output of the last.

    Raises:
        ValueError: the queries of a layer are not the keys of the next.
    """
    if not layers:
        raise ValueError("receptive_field needs at least one layer's field")
    reached = layers[0].mask()
    for below, above in pairwise(layers):
        if below.queries != above.keys:
            raise ValueError(f"a layer gives {below.queries} but the next one reads {above.keys}")
        reached = (above.mask().float() @ reached.float()) > 0
    return Field(layers[-1].queries, layers[0].keys, allowed=reached)


def _kept(build: Callable[[Field, torch.device], Any]) -> Callable[[Field, torch.device], Any]:
    cached = lru_cache(maxsize=256)(build)

    @wraps(build)
    def read(field: Field, device: torch.device) -> Any:
        # Under a tracer a kept tensor would be a fake one, or a constant of somebody else's graph.
        if torch.compiler.is_compiling() or torch.jit.is_tracing() or not _plain(torch.empty(0)):
            return build(field, device)
        # What is first built while evaluating must still serve a backward pass later.
        with torch.inference_mode(False), torch.no_grad():
            return cached(field, device)

    return read


@_kept
def _mask(field: Field, device: torch.device) -> Tensor:
    if field.allowed is not None:
        return field.allowed.to(device)
    if field.is_full:
        return torch.ones(field.queries.size, field.keys.size, dtype=torch.bool, device=device)
    return _slots(field, device) < field.columns


@_kept
def _slots(field: Field, device: torch.device) -> Tensor:
    count = field.columns
    index, valid = _neighbours(field, device)
    # Invalid neighbours are written to a spare column, which is cut off again.
    shape = (field.queries.size, field.keys.size + 1)
    slots = torch.full(shape, count, dtype=torch.long, device=device)
    slots.scatter_(
        1, index.masked_fill(~valid, field.keys.size), torch.arange(count, device=device).expand_as(index)
    )
    return slots[:, :-1].contiguous()


@_kept
def _neighbours(field: Field, device: torch.device) -> tuple[Tensor, Tensor]:
    if field.indices is not None:
        index = field.indices.to(device)
        return index.clamp(min=0), index >= 0
    if field.offsets is None:
        mask = _mask(field, device)
        valid, index = mask.to(torch.uint8).sort(dim=1, descending=True, stable=True)
        count = max(1, int(mask.sum(1).max()))
        valid = valid[:, :count].bool()
        return index[:, :count].masked_fill(~valid, 0), valid
    # (N_query, 1) + (K,) -> (N_query, K), for rows and for columns
    number = torch.arange(field.queries.size, device=device)[:, None]
    steps = torch.tensor(field.offsets, dtype=torch.long, device=device).reshape(-1, 2)
    row = number // field.queries.cols * field.stride[0] + steps[:, 0]
    col = number % field.queries.cols * field.stride[1] + steps[:, 1]
    valid = (row >= 0) & (row < field.keys.rows) & (col >= 0) & (col < field.keys.cols)
    return (row * field.keys.cols + col).masked_fill(~valid, 0), valid


@_kept
def _reachable(field: Field, device: torch.device) -> Tensor | None:
    if field.is_full:
        return None
    some = (field.allowed.to(device) if field.allowed is not None else _neighbours(field, device)[1]).any(1)
    # A tracer cannot look into a tensor: it gets the mask of the rows whether needed or not.
    return some if torch.compiler.is_compiling() or not _plain(some) or not some.all() else None


@_kept
def _block_mask(field: Field, device: torch.device) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    mask, sizes = _mask(field, device), (field.queries.size, field.keys.size)
    return create_block_mask(lambda b, h, query, key: mask[query, key], None, None, *sizes, device)


def _plain(tensor: Tensor) -> bool:
    return type(tensor) is Tensor and not tensor.is_meta


def _by_offsets(like: Field, offsets: tuple[Offset, ...]) -> Field:
    return Field(like.queries, like.keys, offsets=offsets, stride=like.stride)


def _same_grids(one: Field, other: Field) -> None:
    if (one.queries, one.keys) != (other.queries, other.keys):
        raise ValueError(
            "fields combine on the same grids only, got queries and keys "
            f"{one.queries}, {one.keys} and {other.queries}, {other.keys}"
        )


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
