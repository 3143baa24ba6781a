"""`attend`: attention inside a field, and the one place where a backend is chosen.

>>> out, weights = attend(q, k, v, full(Grid(8, 8)), need_weights=True)
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, overload

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from vision.attention import dense, flex, gather, native, reference, shift
from vision.attention.call import Call
from vision.fields import Field

_BACKENDS = ("reference", "dense", "gather", "shift", "native", "flex")

# From what the C++ kernel is faster than a dense mask, forward + backward: how many times fewer pairs of a
# query and a key than all, where its loops are compiled for the width of a head and elsewhere; and for how
# many multiply-adds spared it pays to leave torch.
_FEWER_PAIRS, _FEWER_PAIRS_ELSE, _SPARED = 1.4, 7.0, 150_000
_NATIVE_WIDTHS = (16, 32, 64)


def backend_names() -> tuple[str, ...]:
    """() -> the backends that `attend` knows, apart from "auto"."""
    return _BACKENDS


@overload
def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    field: Field | Sequence[Field] | None = None,
    bias: Tensor | None = None,
    backend: str = "auto",
    need_weights: Literal[False] = False,
) -> Tensor: ...


@overload
def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    field: Field | Sequence[Field] | None = None,
    bias: Tensor | None = None,
    backend: str = "auto",
    *,
    need_weights: Literal[True],
) -> tuple[Tensor, Tensor]: ...


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    field: Field | Sequence[Field] | None = None,
    bias: Tensor | None = None,
    backend: str = "auto",
    need_weights: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V) -> (B, H, N_query, V).

    softmax(q k^T / sqrt(D) + bias) v, each query over the keys of its field. A query without any key
    gets 0.

    Args:
        field: one field for all heads, a sequence of one per head, or None for full attention.
        bias: added to the logits: broadcastable to (B, H, N_query, N_key), or, for a field by K offsets or
            indices, (H, K), one number per head and column of its `neighbours`.
        backend: "auto", or one of `backend_names()`. "auto" is, for N_key keys and a field of K keys a query,
            - by offsets, native: eager on a CPU that has a C++ compiler, float32, float64, bfloat16, where
              the field leaves out enough (`_native_pays`);
            - by offsets, shift, where 64 K <= N_key: else, as under torch.compile, or on other devices (not
              measured);
            - by indices, or one field by offsets or indices per head, gather, where 64 K <= N_key;
            - dense: else, and for full fields, masks and dense biases.
            Measured with scripts/benchmark.py, forward + backward, which decides for both
            (docs/performance.md); `chosen_backend` tells.
        need_weights: return (out, weights) with weights (B, H, N_query, N_key). They are N^2 by nature,
            so the reference computes both, whatever the backend.

    Raises:
        ValueError: shapes do not match each other or the field; the backend is unknown or cannot serve
            this field, bias or device.
    """
    tensors = (q, k, v) if bias is None else (q, k, v, bias)
    if has_torch_function(tensors):  # torch.fx records one call instead of looking inside
        keywords = {"backend": backend, "need_weights": need_weights}
        return handle_torch_function(attend, tensors, q, k, v, field, bias, **keywords)
    call = Call(q, k, v, field, bias)
    call.check()
    if backend == "auto":
        backend = _choose(call)
    elif backend not in _BACKENDS:
        raise ValueError(f"backend must be auto, {', '.join(_BACKENDS)}; got {backend!r}")
    elif reason := _refusal(backend, call):
        raise ValueError(f"{backend=} cannot serve this call: {reason}; backend='auto' takes one that can")
    if need_weights or backend == "reference":
        out, weights = reference.attention(q, k, v, call.mask, call.dense_bias)
        return (out, weights) if need_weights else out
    if backend == "dense":
        return dense.attention(q, k, v, call.mask, call.dense_bias, call.reachable)
    if backend == "gather":
        return gather.attention(q, k, v, *call.neighbours, bias)
    linear = {"shift": shift, "native": native, "flex": flex}[backend]
    return linear.attention(q, k, v, call.one_field, bias)


def chosen_backend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    field: Field | Sequence[Field] | None = None,
    bias: Tensor | None = None,
) -> str:
    """The tensors of `attend`, as shaped there -> the backend that "auto" is for them.

    Raises:
        ValueError: shapes do not match each other or the field.
    """
    call = Call(q, k, v, field, bias)
    call.check()
    return _choose(call)


def _choose(call: Call) -> str:
    """The table in `attend`'s docstring."""
    if not call.linear_bias:
        return "dense"
    if call.by_indices:
        return "gather" if 64 * call.fields[0].columns <= call.k.shape[2] else "dense"
    if not call.by_offsets:
        return "dense"
    if not _refusal("native", call) and _native_pays(call):
        return "native"
    return "shift" if 64 * call.one_field.columns <= call.k.shape[2] else "dense"


def _native_pays(call: Call) -> bool:
    """Whether the field leaves out so many pairs of query and key that the C++ kernel is the faster one."""
    batch, heads, queries, width = call.q.shape
    compiled = width in _NATIVE_WIDTHS and width == call.v.shape[3]
    if width == 16 and call.q.dtype == torch.bfloat16:
        compiled = False  # measured: g++ 12 leaves these loops scalar, three times slower
    every, pairs = queries * call.k.shape[2], _pairs(call.one_field)
    spared = batch * heads * (every - pairs) * width
    return every >= (_FEWER_PAIRS if compiled else _FEWER_PAIRS_ELSE) * pairs and spared >= _SPARED


@lru_cache(maxsize=256)
def _pairs(field: Field) -> int:
    """How many pairs of a query and a key a field by offsets allows."""
    return int(field.neighbours()[1].sum())


def _refusal(backend: str, call: Call) -> str | None:
    """Why a backend cannot serve a call, or None where it can."""
    if backend in ("reference", "dense"):
        return None
    if backend == "gather":
        if not call.linear_bias:
            return f"its bias must be (num_heads, K), got shape {tuple(call.bias.shape)}"  # type: ignore[union-attr]
        return None if call.by_columns else "the field is not given by offsets or indices, K of them per head"
    if isinstance(call.field, Sequence):
        return "it takes one field for all heads; backend='dense' and 'gather' take one per head"
    if backend == "flex":
        return None if call.q.is_cuda else f"it runs on a CUDA device, got tensors on {call.q.device}"
    if not call.by_offsets:
        return "the field is not given by offsets"
    if not call.linear_bias:
        return f"its bias must be (num_heads, K), got shape {tuple(call.bias.shape)}"  # type: ignore[union-attr]
    if backend == "native" and not call.on_cpu:
        return "it runs eagerly on a CPU, q, k and v in one of float32, float64, bfloat16"
    if backend == "native" and not native.available(call.q.dtype):
        return "its C++ kernel did not compile here"
    return None
