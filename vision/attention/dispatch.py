"""`attend`: attention inside a field, and the one place where a backend is chosen.

>>> out, weights = attend(q, k, v, full(Grid(8, 8)), need_weights=True)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.overrides import handle_torch_function, has_torch_function

from vision.attention import dense, flex, native, reference, shift
from vision.fields import Field

_BACKENDS = ("reference", "dense", "shift", "native", "flex")


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
        bias: added to the logits: broadcastable to (B, H, N_query, N_key), or, for a field by K offsets,
            (H, K), one number per head and offset.
        backend: "auto", or one of `backend_names()`. "auto" is, for N_key keys and a field by K offsets,
            - native, where 2 K <= N_key: eager on a CPU that has a C++ compiler, float32, float64, bfloat16;
            - shift, where 64 K <= N_key: else, as under torch.compile, or on other devices (not measured);
            - dense: else, and for full fields, masks, fields per head and dense biases.
            Measured with scripts/benchmark.py, forward + backward; gradients and batch change no choice.
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
    call = _Call(q, k, v, field, bias)
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
    linear = {"shift": shift, "native": native, "flex": flex}[backend]
    return linear.attention(q, k, v, call.one_field, bias)


def _choose(call: "_Call") -> str:
    """The table in `attend`'s docstring."""
    if not (call.by_offsets and call.linear_bias):
        return "dense"
    offsets, keys = len(call.one_field.offsets or ()), call.k.shape[2]
    if 2 * offsets <= keys and not _refusal("native", call) and native.available(call.q.dtype):
        return "native"
    return "shift" if 64 * offsets <= keys else "dense"


def _refusal(backend: str, call: "_Call") -> str | None:
    """Why a backend cannot serve a call, or None where it can."""
    if backend in ("reference", "dense"):
        return None
    if isinstance(call.field, Sequence):
        return "one field per head needs a dense mask, as backend='dense' makes"
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


@dataclass
class _Call:
    """The arguments of one call, checked against each other, and what the backends read from them."""

    q: Tensor
    k: Tensor
    v: Tensor
    field: Field | Sequence[Field] | None
    bias: Tensor | None

    @property
    def fields(self) -> Sequence[Field]:
        if self.field is None:
            return ()
        return (self.field,) if isinstance(self.field, Field) else self.field

    @property
    def one_field(self) -> Field:
        if isinstance(self.field, Field):
            return self.field
        raise ValueError(f"this backend needs one field for all heads, got {self.field}")

    @property
    def by_offsets(self) -> bool:
        return isinstance(self.field, Field) and self.field.offsets is not None

    @property
    def on_cpu(self) -> bool:
        """Plain CPU tensors of a type that the C++ kernel reads, and nobody tracing."""
        one_type = self.q.dtype == self.k.dtype == self.v.dtype and self.q.dtype in native.DTYPES
        plain = (type(x) in (Tensor, nn.Parameter) and x.is_cpu for x in (self.q, self.k, self.v))
        return one_type and not shift.is_traced() and all(plain)

    @property
    def linear_bias(self) -> bool:
        return self.bias is None or self.bias.ndim == 2

    @property
    def mask(self) -> Tensor | None:
        """bool (N_query, N_key), or (H, N_query, N_key) with one field per head; None if full."""
        if all(field.is_full for field in self.fields):
            return None
        masks = [field.mask(self.q.device) for field in self.fields]
        return masks[0] if isinstance(self.field, Field) else torch.stack(masks)

    @property
    def reachable(self) -> Tensor | None:
        """bool (N_query), or (H, N_query); None where every query has a key."""
        rows = [field.reachable(self.q.device) for field in self.fields]
        if all(row is None for row in rows):
            return None
        every = torch.ones(self.q.shape[2], dtype=torch.bool, device=self.q.device)
        rows = [every if row is None else row for row in rows]
        return rows[0] if isinstance(self.field, Field) else torch.stack(rows)

    @property
    def dense_bias(self) -> Tensor | None:
        """The bias, broadcastable to (B, H, N_query, N_key)."""
        if self.bias is None or self.bias.ndim == 4:
            return self.bias
        return pad(self.bias, (0, 1))[:, self.one_field.slots(self.q.device)].unsqueeze(0)

    def check(self) -> None:
        """Raise a ValueError that names the first argument that does not fit the others."""
        q, k, v = (tuple(x.shape) for x in (self.q, self.k, self.v))
        if not len(q) == len(k) == len(v) == 4:
            raise ValueError(f"q, k and v must be (B, num_heads, N, head_dim), got shapes {q}, {k}, {v}")
        if q[:2] != k[:2] or k[:3] != v[:3] or q[3] != k[3]:
            raise ValueError(
                "q, k and v must share B and num_heads, q and k their head_dim, k and v their N_key, "
                f"got shapes {q}, {k}, {v}"
            )
        if isinstance(self.field, Sequence) and len(self.field) != q[1]:
            raise ValueError(
                f"a sequence of fields needs one per head, got {len(self.field)} fields, {q[1]} heads"
            )
        for field in self.fields:
            if (field.queries.size, field.keys.size) != (q[2], k[2]):
                raise ValueError(
                    f"the field has queries on {field.queries} and keys on {field.keys}, so q and k need "
                    f"{field.queries.size} and {field.keys.size} tokens, got {q[2]} and {k[2]}"
                )
        if self.bias is not None:
            self._check_bias(self.bias)

    def _check_bias(self, bias: Tensor) -> None:
        heads, shape = self.q.shape[1], tuple(bias.shape)
        if bias.ndim == 2:
            if not self.by_offsets:
                raise ValueError(f"a bias per head and offset, {shape=}, needs one field by offsets")
            if shape != (heads, count := len(self.one_field.offsets or ())):
                raise ValueError(
                    f"a bias per offset must be (num_heads, K) = ({heads}, {count}), got {shape=}"
                )
            return
        full = (*self.q.shape[:3], self.k.shape[2])
        if bias.ndim != 4 or any(size not in (1, whole) for size, whole in zip(shape, full, strict=True)):
            raise ValueError(
                f"bias must broadcast to {full} or be (num_heads, K) for a field by offsets, got {shape=}"
            )
