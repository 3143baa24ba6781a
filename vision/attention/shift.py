"""Attention as a loop over the field's offsets: cost and memory linear in the tokens, on any device.

The grid of keys is shifted by one offset at a time and compared with the grid of queries where the two
overlap, so no mask, no gather and no copy of the neighbours is made.

>>> out = attention(q, k, v, neighbourhood(Grid(32, 32), kernel_size=3))
"""

from collections.abc import Iterator
from typing import Any

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
    grids = on_grid(q, field.queries), on_grid(k, field.keys), on_grid(v, field.keys)
    out = _plain(*grids, bias, field) if is_traced() else _Shift.apply(*grids, bias, field)
    return out.flatten(1, 2).transpose(1, 2)


def on_grid(x: Tensor, grid: Grid) -> Tensor:
    """(B, H, N, D) -> (B, rows, cols, H, D): a view."""
    return x.transpose(1, 2).unflatten(1, (grid.rows, grid.cols))


class _Shift(torch.autograd.Function):
    """The loop and its gradient by hand: autograd's own would write a full grid of zeros per offset."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, field: Field) -> Tensor:
        out, weights = _forward(q, k, v, bias, field)
        ctx.save_for_backward(q, k, v, weights)
        ctx.field, ctx.bias_dtype = field, None if bias is None else bias.dtype
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple:
        q, k, v, weights = ctx.saved_tensors
        dq, dk, dv, dlogits = _backward(grads[0], q, k, v, weights, ctx.field)
        dbias = dlogits.sum((1, 2, 3)).T.to(ctx.bias_dtype) if ctx.needs_input_grad[3] else None
        return dq, dk, dv, dbias, None


def _forward(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, field: Field) -> tuple[Tensor, Tensor]:
    """-> out (B, rows, cols, H, V) and the weights (K, B, rows, cols, H)."""
    scale, wide = q.shape[-1] ** -0.5, torch.promote_types(q.dtype, torch.float32)
    floor = torch.finfo(wide).min
    logits = torch.full((len(field.offsets or ()), *q.shape[:-1]), floor, dtype=wide, device=q.device)
    for slot, here, there in _overlaps(field):
        scores = (q[here] * k[there]).sum(-1, dtype=wide) * scale
        logits[slot][here] = scores if bias is None else scores + bias[:, slot]
    # A query without any key has equal weights here, but none of them is ever used.
    weights = logits.softmax(0).masked_fill(logits == floor, 0.0).to(v.dtype)
    out = v.new_zeros(*q.shape[:-1], v.shape[-1])
    for slot, here, there in _overlaps(field):
        out[here] += weights[slot][here].unsqueeze(-1) * v[there]
    return out, weights


def _plain(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, field: Field) -> Tensor:
    """`_forward` without writing in place: what a tracer can differentiate, batch and fuse."""
    overlaps = list(_overlaps(field))
    if not overlaps:
        return v.new_zeros(*q.shape[:-1], v.shape[-1])
    slots, wide = [slot for slot, _, _ in overlaps], torch.promote_types(q.dtype, torch.float32)
    scores = [(q * _moved(k, here, there, field)).sum(-1, dtype=wide) for _, here, there in overlaps]
    logits = torch.stack(scores) * q.shape[-1] ** -0.5
    if bias is not None:
        logits = logits + bias.T[slots][:, None, None, None]
    valid = field.neighbours(q.device)[1].T[slots].view(-1, 1, *q.shape[1:3], 1)
    floor = torch.finfo(wide).min
    weights = logits.masked_fill(~valid, floor).softmax(0).masked_fill(~valid, 0.0).to(v.dtype)
    values = (_moved(v, here, there, field) for _, here, there in overlaps)
    return torch.stack([w.unsqueeze(-1) * value for w, value in zip(weights, values, strict=True)]).sum(0)


def _moved(x: Tensor, here: Region, there: Region, field: Field) -> Tensor:
    """(B, key rows, key cols, H, D) -> (B, rows, cols, H, D): a query's key at one offset, else 0."""
    rows, cols = here[1:]
    sides = (cols.start, field.queries.cols - cols.stop, rows.start, field.queries.rows - rows.stop)
    return torch.nn.functional.pad(x[there], (0, 0, 0, 0, *sides))


def _backward(dout: Tensor, q: Tensor, k: Tensor, v: Tensor, weights: Tensor, field: Field) -> tuple:
    """-> gradients of q, k, v (each in its own shape) and of the logits (K, B, rows, cols, H)."""
    dv, dweights = (
        v.new_zeros(v.shape),
        torch.zeros_like(weights, dtype=torch.promote_types(q.dtype, torch.float32)),
    )
    for slot, here, there in _overlaps(field):
        dweights[slot][here] = (dout[here] * v[there]).sum(-1, dtype=dweights.dtype)
        dv[there] += weights[slot][here].unsqueeze(-1) * dout[here]
    dlogits = weights * (dweights - (weights * dweights).sum(0))
    dscores = (dlogits * q.shape[-1] ** -0.5).to(q.dtype).unsqueeze(-1)
    dq, dk = q.new_zeros(q.shape), k.new_zeros(k.shape)
    for slot, here, there in _overlaps(field):
        dq[here] += dscores[slot][here] * k[there]
        dk[there] += dscores[slot][here] * q[here]
    return dq, dk, dv, dlogits


def _overlaps(field: Field) -> Iterator[tuple[int, Region, Region]]:
    """For each offset that meets the key grid: its slot, the queries' region, the keys' region."""
    shapes = ((field.queries.rows, field.keys.rows), (field.queries.cols, field.keys.cols))
    for slot, offset in enumerate(field.offsets or ()):
        sides = [
            _overlap(*shape, *way)
            for shape, way in zip(shapes, zip(offset, field.stride, strict=True), strict=True)
        ]
        if all(here.stop > here.start for here, _ in sides):
            (rows, key_rows), (cols, key_cols) = sides
            yield slot, (slice(None), rows, cols), (slice(None), key_rows, key_cols)


def _overlap(queries: int, keys: int, offset: int, stride: int) -> tuple[slice, slice]:
    """Along one side: the queries x with 0 <= x * stride + offset < keys, and those keys."""
    start = max(0, -(offset // stride))
    stop = min(queries, (keys - 1 - offset) // stride + 1)
    return slice(start, stop), slice(start * stride + offset, (stop - 1) * stride + offset + 1, stride)
