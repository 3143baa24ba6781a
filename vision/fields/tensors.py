"""A field as tensors, each built once and kept: what the methods of `Field` of the same names return.

>>> mask(neighbourhood(Grid(4, 4), kernel_size=3), torch.device("cpu")).shape  # doctest: +SKIP
torch.Size([16, 16])
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vision.tracing import cached, is_traced

if TYPE_CHECKING:
    from vision.fields.field import Field


@cached(maxsize=256)
def mask(field: "Field", device: torch.device) -> Tensor:
    """() -> bool (N_query, N_key), True = may attend."""
    if field.allowed is not None:
        return field.allowed.to(device)
    if field.is_full:
        return torch.ones(field.queries.size, field.keys.size, dtype=torch.bool, device=device)
    return slots(field, device) < field.columns


@cached(maxsize=256)
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


@cached(maxsize=256)
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


@cached(maxsize=256)
def reachable(field: "Field", device: torch.device) -> Tensor | None:
    """() -> bool (N_query), False where a query has no key; None where every one has."""
    if field.is_full:
        return None
    some = (field.allowed.to(device) if field.allowed is not None else neighbours(field, device)[1]).any(1)
    # A tracer cannot look into a tensor: it gets the mask of the rows whether needed or not.
    return some if is_traced() or type(some) is not Tensor or not some.all() else None


@cached(maxsize=256)
def block_mask(field: "Field", device: torch.device) -> Any:
    """() -> FlexAttention's BlockMask."""
    from torch.nn.attention.flex_attention import create_block_mask

    allowed, sizes = mask(field, device), (field.queries.size, field.keys.size)
    return create_block_mask(lambda b, h, query, key: allowed[query, key], None, None, *sizes, device)
