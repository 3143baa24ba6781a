"""Attention as a loop over the field's offsets: cost and memory linear in the tokens, on any device.

The grid of keys is shifted by one offset at a time and compared with the grid of queries where they overlap.
So no mask, no gather and no copy of the neighbours is made.

>>> import torch
>>> from vision.fields import neighbourhood
>>> q = torch.randn(1, 4, 32 * 32, 16)
>>> attention(q, q, q, neighbourhood(Grid(32, 32), kernel_size=3)).shape
torch.Size([1, 4, 1024, 16])
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vision.fields import Field
from vision.patches import Grid
from vision.tracing import is_traced

Region = tuple[slice, slice, slice]


def attention(q: Tensor, k: Tensor, v: Tensor, field: Field, bias: Tensor | None = None) -> Tensor:
    """q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V) -> (B, H, N_query, V).

    Args:
        field: a field by offsets, K of them.
        bias: (H, K), added to the logits of each head and offset.
    """
    grids = _on_grid(q, field.queries), _on_grid(k, field.keys), _on_grid(v, field.keys)
    run = _traceable if is_traced() else cast(Callable[..., Tensor], _Shift.apply)
    return run(*grids, bias, field).flatten(1, 2).transpose(1, 2)


def _on_grid(x: Tensor, grid: Grid) -> Tensor:
    """(B, H, N, D) -> (B, rows, cols, H, D): a view."""
    return torch.unflatten(x.transpose(1, 2), 1, (grid.rows, grid.cols))


class _Shift(torch.autograd.Function):
    """The loop with its own gradient: autograd's would write a full grid of zeros per offset."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, field: Field) -> Tensor:
        out, weights = _forward(q, k, v, bias, field)
        ctx.save_for_backward(q, k, v, weights)
        ctx.field, ctx.bias_dtype = field, None if bias is None else bias.dtype
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        q, k, v, weights = ctx.saved_tensors
        dq, dk, dv, dlogits = _backward(grad_outputs[0], q, k, v, weights, ctx.field)
        dbias = dlogits.sum((1, 2, 3)).T.to(ctx.bias_dtype) if ctx.needs_input_grad[3] else None
        return dq, dk, dv, dbias, None


def _forward(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, field: Field) -> tuple[Tensor, Tensor]:
    """Return out (B, rows, cols, H, V) and the weights (K, B, rows, cols, H)."""
    scale, wide = q.shape[-1] ** -0.5, torch.promote_types(q.dtype, torch.float32)
    floor = torch.finfo(wide).min
    logits = torch.full((len(field.offsets or ()), *q.shape[:-1]), floor, dtype=wide, device=q.device)
    for slot, queries, keys in _overlaps(field):
        scores = (q[queries] * k[keys]).sum(-1, dtype=wide) * scale
        logits[slot][queries] = scores if bias is None else scores + bias[:, slot]
    # A query without any key has weights 0, and its output is never written to.
    weights = logits.softmax(0).masked_fill(logits == floor, 0.0).to(v.dtype)
    out = v.new_zeros(*q.shape[:-1], v.shape[-1])
    for slot, queries, keys in _overlaps(field):
        out[queries] += weights[slot][queries].unsqueeze(-1) * v[keys]
    return out, weights


def _traceable(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, field: Field) -> Tensor:
    """`_forward` without in-place writes, which tracers can differentiate, batch and fuse."""
    overlaps = list(_overlaps(field))
    if not overlaps:
        return v.new_zeros(*q.shape[:-1], v.shape[-1])
    slots, wide = [slot for slot, _, _ in overlaps], torch.promote_types(q.dtype, torch.float32)
    scores = [(q * _shifted(k, queries, keys, field)).sum(-1, dtype=wide) for _, queries, keys in overlaps]
    logits = torch.stack(scores) * q.shape[-1] ** -0.5
    if bias is not None:
        logits = logits + bias.T[slots][:, None, None, None]
    valid = field.neighbours(q.device)[1].T[slots].view(-1, 1, *q.shape[1:3], 1)
    floor = torch.finfo(wide).min
    weights = logits.masked_fill(~valid, floor).softmax(0).masked_fill(~valid, 0.0).to(v.dtype)
    values = (_shifted(v, queries, keys, field) for _, queries, keys in overlaps)
    return torch.stack([w.unsqueeze(-1) * value for w, value in zip(weights, values, strict=True)]).sum(0)


def _shifted(x: Tensor, queries: Region, keys: Region, field: Field) -> Tensor:
    """(B, key rows, key cols, H, D) -> (B, rows, cols, H, D): each query's key at one offset, else 0."""
    rows, cols = queries[1:]
    sides = (cols.start, field.queries.cols - cols.stop, rows.start, field.queries.rows - rows.stop)
    return torch.nn.functional.pad(x[keys], (0, 0, 0, 0, *sides))


def _backward(
    dout: Tensor, q: Tensor, k: Tensor, v: Tensor, weights: Tensor, field: Field
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of q, k, v (each in its own shape) and of the logits (K, B, rows, cols, H)."""
    wide = torch.promote_types(q.dtype, torch.float32)
    dv, dweights = v.new_zeros(v.shape), torch.zeros_like(weights, dtype=wide)
    for slot, queries, keys in _overlaps(field):
        dweights[slot][queries] = (dout[queries] * v[keys]).sum(-1, dtype=dweights.dtype)
        dv[keys] += weights[slot][queries].unsqueeze(-1) * dout[queries]
    dlogits = weights * (dweights - (weights * dweights).sum(0))
    dscores = (dlogits * q.shape[-1] ** -0.5).to(q.dtype).unsqueeze(-1)
    dq, dk = q.new_zeros(q.shape), k.new_zeros(k.shape)
    for slot, queries, keys in _overlaps(field):
        dq[queries] += dscores[slot][queries] * k[keys]
        dk[keys] += dscores[slot][queries] * q[queries]
    return dq, dk, dv, dlogits


def _overlaps(field: Field) -> Iterator[tuple[int, Region, Region]]:
    """Yield for each offset that meets the key grid: its slot, the queries' region, the keys' region."""
    shapes = ((field.queries.rows, field.keys.rows), (field.queries.cols, field.keys.cols))
    for slot, offset in enumerate(field.offsets or ()):
        sides = [
            _overlap(*shape, *step)
            for shape, step in zip(shapes, zip(offset, field.stride, strict=True), strict=True)
        ]
        if all(queries.stop > queries.start for queries, _ in sides):
            (rows, key_rows), (cols, key_cols) = sides
            yield slot, (slice(None), rows, cols), (slice(None), key_rows, key_cols)


def _overlap(queries: int, keys: int, offset: int, stride: int) -> tuple[slice, slice]:
    """Return, along one side, the queries x with 0 <= x * stride + offset < keys, and those keys."""
    start = max(0, -(offset // stride))
    stop = min(queries, (keys - 1 - offset) // stride + 1)
    return slice(start, stop), slice(start * stride + offset, (stop - 1) * stride + offset + 1, stride)
