"""`attend`: attention inside a field, and the choice of its backend.

>>> import torch
>>> from vision.fields import full
>>> from vision.patches import Grid
>>> q = torch.randn(1, 4, 64, 16)
>>> out, weights = attend(q, q, q, full(Grid(8, 8)), need_weights=True)
>>> weights.shape
torch.Size([1, 4, 64, 64])
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, overload

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from vision.attention import dense, flex, gather, kernel, native, reference, shift
from vision.attention.call import Call
from vision.dynamic import Arguments
from vision.fields import Field
from vision.tracing import is_any_size

_BACKENDS = ("reference", "dense", "gather", "shift", "native", "flex")

# When the C++ kernel is faster than a dense mask, forward + backward: the field must allow this many times
# fewer pairs of query and key than all. It depends on whether the loops are compiled for the width of a head.
_MIN_SPARSITY, _MIN_SPARSITY_OTHER_WIDTHS = 1.4, 7.0
_NATIVE_WIDTHS = (16, 32, 64)
_MIN_SAVED = 150_000  # multiply-adds saved from which the call of the kernel pays
_GATHER_FROM = 64  # keys per neighbour from which gather and shift are faster than a dense mask
# On CUDA, without a bias, flex is faster from there on, and shift from here on only (docs/performance.md).
_SHIFT_FROM_ON_CUDA = 450


def backend_names() -> tuple[str, ...]:
    """Return the backends of `attend`, apart from "auto"."""
    return _BACKENDS


@overload
def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    field: Field | Sequence[Field] | None = None,
    bias: Tensor | None = None,
    *,
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
    *,
    backend: str = "auto",
    need_weights: Literal[True],
) -> tuple[Tensor, Tensor]: ...


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    field: Field | Sequence[Field] | None = None,
    bias: Tensor | None = None,
    *,
    backend: str = "auto",
    need_weights: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V) -> (B, H, N_query, V).

    softmax(q k^T / sqrt(D) + bias) v, each query over the keys of its field. A query without any key
    gets 0.

    Args:
        field: one field for all heads, a sequence of one per head, or None for full attention.
        bias: added to the logits: broadcastable to (B, H, N_query, N_key). For a field by K offsets or
            indices also (H, K), one number per head and column of its `neighbours`.
        backend: "auto", or one of `backend_names()`. For N_key keys and a field of K keys per query, "auto"
            chooses the first that applies:

            - native, for a field by offsets that leaves out enough pairs (`_native_pays`): in eager mode on a
              CPU with a C++ compiler; in float32, float64 or bfloat16;
            - flex, for a field by offsets with 64 K <= N_key and no bias: in eager mode on a CUDA device with
              triton; in bfloat16 or float16; with heads of 16 to 256 channels;
            - shift, for a field by offsets with 64 K <= N_key, or 450 K <= N_key on CUDA without a bias;
            - gather, for a field by indices, or one field by offsets or indices per head, with 64 K <= N_key;
            - dense: otherwise, for full fields, masks and dense biases, and in a graph that is exported for
              any number of tokens.

            scripts/benchmark.py measured this for forward + backward (docs/performance.md).
            `chosen_backend` returns the choice.
        need_weights: return (out, weights) with weights (B, H, N_query, N_key). The reference computes both,
            whatever the backend, as the weights have N^2 entries anyway.

    Raises:
        ValueError: shapes do not match each other or the field; the backend is unknown or does not support
            this field, bias or device.
    """
    tensors = (q, k, v) if bias is None else (q, k, v, bias)
    if has_torch_function(tensors):  # torch.fx records a single call
        keywords: Arguments = {"backend": backend, "need_weights": need_weights}
        return handle_torch_function(attend, tensors, q, k, v, field, bias, **keywords)
    call = Call(q, k, v, field, bias)
    call.check()
    if backend == "auto":
        backend = _choose(call)
    elif backend not in _BACKENDS:
        raise ValueError(f"backend must be auto, {', '.join(_BACKENDS)}; got {backend!r}")
    elif reason := _why_not(backend, call):
        raise ValueError(f"{backend=} cannot serve this call: {reason}; backend='auto' chooses one that can")
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
    """Return the backend that "auto" chooses for these arguments of `attend`.

    Raises:
        ValueError: shapes do not match each other or the field.
    """
    call = Call(q, k, v, field, bias)
    call.check()
    return _choose(call)


def _choose(call: Call) -> str:
    """Return the first backend that applies in the list of `attend`."""
    if not call.linear_bias or is_any_size(call.k.shape[2]):
        return "dense"
    if call.gather_only:
        return "gather" if _GATHER_FROM * call.fields[0].columns <= call.k.shape[2] else "dense"
    if not call.by_offsets:
        return "dense"
    if not _why_not("native", call) and _native_pays(call):
        return "native"
    keys_per_neighbour = call.k.shape[2] / max(1, call.one_field.columns)
    if call.q.is_cuda and call.bias is None:
        if keys_per_neighbour >= _GATHER_FROM and call.flex_compatible:
            return "flex"
        return "shift" if keys_per_neighbour >= _SHIFT_FROM_ON_CUDA else "dense"
    return "shift" if keys_per_neighbour >= _GATHER_FROM else "dense"


def _native_pays(call: Call) -> bool:
    """Return whether the field leaves out enough pairs of query and key for the C++ kernel to be faster."""
    batch, heads, queries, width = call.q.shape
    compiled = width in _NATIVE_WIDTHS and width == call.v.shape[3]
    if width == 16 and call.q.dtype == torch.bfloat16:
        compiled = False  # measured: g++ 12 leaves these loops scalar, three times slower
    all_pairs, pairs = queries * call.k.shape[2], _pairs(call.one_field)
    saved = batch * heads * (all_pairs - pairs) * width
    sparsity = _MIN_SPARSITY if compiled else _MIN_SPARSITY_OTHER_WIDTHS
    return all_pairs >= sparsity * pairs and saved >= _MIN_SAVED


@lru_cache(maxsize=256)
def _pairs(field: Field) -> int:
    """Return how many pairs of query and key a field by offsets allows."""
    return int(field.neighbours()[1].sum())


def _why_not(backend: str, call: Call) -> str | None:
    """Return why a backend cannot serve a call, or None if it can."""
    if backend in ("reference", "dense"):
        return None
    bias = None
    if call.bias is not None and not call.linear_bias:
        bias = f"its bias must be (num_heads, K), got shape {tuple(call.bias.shape)}"
    if backend == "gather":
        if bias or call.uniform_degree:
            return bias
        return "the field is not given by offsets or indices, K of them per head"
    if isinstance(call.field, Sequence):
        return "it takes one field for all heads; backend='dense' and 'gather' take one per head"
    if backend == "flex":
        return None if call.q.is_cuda else f"it runs on a CUDA device, got tensors on {call.q.device}"
    if not call.by_offsets:
        return "the field is not given by offsets"
    if bias:
        return bias
    if backend == "native" and not call.native_compatible:
        return "it runs eagerly on a CPU, q, k and v in one of float32, float64, bfloat16"
    if backend == "native" and not kernel.available(call.q.dtype):
        return "its C++ kernel did not compile here"
    return None
