"""Attention of each query over its own few keys in C++ on a CPU: cost and memory linear in the tokens.

It serves every shape and field; see `vision.attention.kernel` for how it is compiled.

>>> import torch
>>> from vision.fields import neighbourhood
>>> from vision.patches import Grid
>>> q = torch.randn(1, 4, 32 * 32, 16)
>>> attention(q, q, q, neighbourhood(Grid(32, 32), kernel_size=3)).shape
torch.Size([1, 4, 1024, 16])
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils import flop_counter

from vision.attention import kernel
from vision.fields import Field
from vision.tracing import cached


def attention(q: Tensor, k: Tensor, v: Tensor, field: Field, bias: Tensor | None = None) -> Tensor:
    """q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V) -> (B, H, N_query, V).

    Args:
        field: by K offsets, or any other field, where K is the largest number of keys of any query.
        bias: (H, K), added to the logits of each head and offset; for a field by offsets only.
    """
    # (B, H, N, D) -> (B, N, H, D): a view where q, k, v come from a linear map of tokens
    grids = (x.transpose(1, 2) for x in (q, k, v))
    return cast(Tensor, _Native.apply(*grids, bias, field)).transpose(1, 2)


class _Native(torch.autograd.Function):
    """On (B, N, H, D) tensors; saves the weights, K numbers per query and head, for the backward pass."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, field: Field) -> Tensor:
        q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
        index, wide = _key_indices(field), torch.promote_types(q.dtype, torch.float32)
        wide_bias = None if bias is None else bias.to(wide).contiguous()
        out, weights = torch.ops.vision.native_attention(q, k, v, index, wide_bias)
        ctx.save_for_backward(q, k, v, weights)
        ctx.field, ctx.bias_dtype = field, None if bias is None else bias.dtype
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        q, k, v, weights = ctx.saved_tensors
        grad = grad_outputs[0] if grad_outputs[0].stride(-1) == 1 else grad_outputs[0].contiguous()
        dq, dk, dv, dbias = torch.ops.vision.native_attention_backward(
            grad, q, k, v, weights, _key_indices(ctx.field)
        )
        total = dbias.sum(0).to(ctx.bias_dtype) if ctx.needs_input_grad[3] else None
        return dq, dk.to(k.dtype), dv.to(v.dtype), total, None


@cached(maxsize=256)
def _key_indices(field: Field) -> Tensor:
    """Return int32 (N_query, K): the keys of each query, -1 where it has fewer."""
    index, valid = field.neighbours()
    return index.masked_fill(~valid, -1).to(torch.int32)


def _forward(q: Tensor, k: Tensor, v: Tensor, index: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    wide = torch.promote_types(q.dtype, torch.float32)
    out = q.new_empty(*q.shape[:-1], v.shape[-1])
    weights = q.new_empty(*q.shape[:-1], index.shape[1], dtype=wide)
    kernel.run(q, k, v, index, bias=bias, out=out, weights=weights)
    return out, weights


def _backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, weights: Tensor, index: Tensor
) -> tuple[Tensor, ...]:
    dq = q.new_empty(q.shape)
    dk, dv = (x.new_empty(x.shape, dtype=weights.dtype) for x in (k, v))
    dbias = weights.new_empty(q.shape[0], *weights.shape[2:])
    kernel.run(q, k, v, index, back=True, weights=weights, grad=grad, dq=dq, dk=dk, dv=dv, dbias=dbias)
    return dq, dk, dv, dbias


def _flops(q: Tensor, k: Tensor, v: Tensor, index: Tensor, *args: object, **kwargs: object) -> int:
    """Return 2 per multiply-add of the pairs that the field allows, for the logits and for the values."""
    return 2 * q.shape[0] * q.shape[2] * int((index >= 0).sum()) * (q.shape[3] + v.shape[3])


def _backward_flops(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, weights: Tensor, index: Tensor, **kwargs: object
) -> int:
    return 2 * _flops(q, k, v, index)


# As operators of torch, torch's profiler and its counter of multiply-adds see the two passes.
_OPERATORS: Any = torch.library.Library("vision", "DEF")
_OPERATORS.define(
    "native_attention(Tensor q, Tensor k, Tensor v, Tensor index, Tensor? bias) -> (Tensor, Tensor)"
)
_OPERATORS.define(
    "native_attention_backward(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor weights, Tensor index) "
    "-> (Tensor, Tensor, Tensor, Tensor)"
)
_OPERATORS.impl("native_attention", _forward, "CPU")
_OPERATORS.impl("native_attention_backward", _backward, "CPU")
_register = cast(Any, flop_counter.register_flop_formula)  # pyright: ignore[reportUnknownMemberType]
_register(torch.ops.vision.native_attention, get_raw=True)(_flops)
_register(torch.ops.vision.native_attention_backward, get_raw=True)(_backward_flops)
