"""A field as tensors, each built once and kept: what the methods of `Field` of the same names return.

>>> mask(neighbourhood(Grid(4, 4), kernel_size=3), torch.device("cpu")).shape  # doctest: +SKIP
torch.Size([16, 16])
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from vision.fields.field import Field


def _kept(build: Callable[["Field", torch.device], Any]) -> Callable[["Field", torch.device], Any]:
    cached = lru_cache(maxsize=256)(build)

    @wraps(build)
    def read(field: "Field", device: torch.device) -> Any:
        # Under a tracer a kept tensor would be a fake one, or a constant of somebody else's graph.
        if torch.compiler.is_compiling() or torch.jit.is_tracing() or not _plain(torch.empty(0)):
            return build(field, device)
        # What is first built while evaluating must still serve a backward pass later.
        with torch.inference_mode(False), torch.no_grad():
            return cached(field, device)

    return read


@_kept
def mask(field: "Field", device: torch.device) -> Tensor:
    """() -> bool (N_query, N_key), True = may attend."""
    if field.allowed is not None:
        return field.allowed.to(device)
    if field.is_full:
        return torch.ones(field.queries.size, field.keys.size, dtype=torch.bool, device=device)
    return slots(field, device) < field.columns


@_kept
def slots(field: "Field", device: torch.device) -> Tensor:
    """() -> long (N_query, N_key): the column of `neighbours` that leads to a key, else K."""
    count = field.columns
    index, valid = neighbours(field, device)
    # Invalid neighbours are written to a spare column, which is cut off again.
    shape = (field.queries.size, field.keys.size + 1)
    columns = torch.full(shape, count, dtype=torch.long, device=device)
    columns.scatter_(
        1, index.masked_fill(~valid, field.keys.size), torch.arange(count, device=device).expand_as(index)
    )
    return columns[:, :-1].contiguous()


@_kept
def neighbours(field: "Field", device: torch.device) -> tuple[Tensor, Tensor]:
    """() -> index and valid (N_query, K)."""
    if field.indices is not None:
        index = field.indices.to(device)
        return index.clamp(min=0), index >= 0
    if field.offsets is None:
        allowed = mask(field, device)
        valid, index = allowed.to(torch.uint8).sort(dim=1, descending=True, stable=True)
        count = max(1, int(allowed.sum(1).max()))
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
def reachable(field: "Field", device: torch.device) -> Tensor | None:
    """() -> bool (N_query), False where a query has no key; None where every one has."""
    if field.is_full:
        return None
    some = (field.allowed.to(device) if field.allowed is not None else neighbours(field, device)[1]).any(1)
    # A tracer cannot look into a tensor: it gets the mask of the rows whether needed or not.
    return some if torch.compiler.is_compiling() or not _plain(some) or not some.all() else None


@_kept
def block_mask(field: "Field", device: torch.device) -> Any:
    """() -> FlexAttention's BlockMask."""
    from torch.nn.attention.flex_attention import create_block_mask

    allowed, sizes = mask(field, device), (field.queries.size, field.keys.size)
    return create_block_mask(lambda b, h, query, key: allowed[query, key], None, None, *sizes, device)


def _plain(tensor: Tensor) -> bool:
    return type(tensor) is Tensor and not tensor.is_meta
