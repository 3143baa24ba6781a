"""One call of `attend`: its arguments, checked against each other, and what the backends read from them.

>>> import torch
>>> from vision.fields import neighbourhood
>>> from vision.patches import Grid
>>> q = torch.randn(1, 4, 64, 16)
>>> Call(q, q, q, neighbourhood(Grid(8, 8), kernel_size=3), None).mask.shape
torch.Size([64, 64])
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import cast

import torch
from torch import Tensor, nn

from vision.attention import kernel
from vision.fields import Field
from vision.tracing import is_traced

FIELDS = (Field, list, tuple, type(None))


@dataclass
class Call:
    """The arguments of one call, checked against each other, and what the backends read from them."""

    q: Tensor
    k: Tensor
    v: Tensor
    field: Field | Sequence[Field] | None
    bias: Tensor | None

    @property
    def fields(self) -> Sequence[Field]:
        """No field, one for all heads, or one per head."""
        if self.field is None:
            return ()
        return (self.field,) if isinstance(self.field, Field) else self.field

    @property
    def one_field(self) -> Field:
        """The field of all heads; raises a ValueError if there is none, or one per head."""
        if isinstance(self.field, Field):
            return self.field
        raise ValueError(f"this backend needs one field for all heads, got {self.field}")

    @property
    def by_offsets(self) -> bool:
        """Whether all heads share a field by offsets, the kind that costs time linear in the tokens."""
        return isinstance(self.field, Field) and self.field.offsets is not None

    @property
    def uniform_degree(self) -> bool:
        """Whether each field is by offsets or indices, with the same number of columns in each head."""
        linear = len(self.fields) > 0 and all(field.is_linear for field in self.fields)
        return linear and len({field.columns for field in self.fields}) == 1

    @property
    def gather_only(self) -> bool:
        """Whether "gather" is the only backend of linear cost for the fields."""
        return self.uniform_degree and not self.by_offsets

    @property
    def neighbours(self) -> tuple[Tensor, Tensor]:
        """index and valid (N_query, K), or (H, N_query, K) with one field per head."""
        pairs = [field.neighbours(self.q.device) for field in self.fields]
        if isinstance(self.field, Field):
            return pairs[0]
        return torch.stack([index for index, _ in pairs]), torch.stack([valid for _, valid in pairs])

    @property
    def native_compatible(self) -> bool:
        """Whether q, k and v are plain CPU tensors of one type that the C++ kernel reads, not traced."""
        one_type = self.q.dtype == self.k.dtype == self.v.dtype and self.q.dtype in kernel.DTYPES
        plain = (type(x) in (Tensor, nn.Parameter) and x.is_cpu for x in (self.q, self.k, self.v))
        return one_type and not is_traced() and all(plain)

    @property
    def flex_compatible(self) -> bool:
        """Whether FlexAttention has a kernel for q, k and v, given that they are on a CUDA device."""
        widths = (self.q.shape[3], self.v.shape[3])
        half = {self.q.dtype, self.k.dtype, self.v.dtype} in ({torch.bfloat16}, {torch.float16})
        plain = half and all(16 <= width <= 256 for width in widths)
        return plain and not is_traced() and find_spec("triton") is not None

    @property
    def linear_bias(self) -> bool:
        """Whether the bias, if any, is one per head and offset."""
        return self.bias is None or self.bias.ndim == 2

    @property
    def mask(self) -> Tensor | None:
        """bool (N_query, N_key), or (H, N_query, N_key) with one field per head; None if all are full."""
        if all(field.is_full for field in self.fields):
            return None
        masks = [field.mask(self.q.device) for field in self.fields]
        return masks[0] if isinstance(self.field, Field) else torch.stack(masks)

    @property
    def reachable(self) -> Tensor | None:
        """bool (N_query), or (H, N_query) with one field per head; None if every query has a key."""
        rows = [None if field.is_full else field.reachable(self.q.device) for field in self.fields]
        if all(row is None for row in rows):
            return None
        everywhere = torch.ones(self.q.shape[2], dtype=torch.bool, device=self.q.device)
        rows = [everywhere if row is None else row for row in rows]
        return rows[0] if isinstance(self.field, Field) else torch.stack(rows)

    @property
    def dense_bias(self) -> Tensor | None:
        """The bias, broadcastable to (B, H, N_query, N_key)."""
        if self.bias is None or self.bias.ndim == 4:
            return self.bias
        index, valid = self.one_field.neighbours(self.q.device)
        queries, keys = self.one_field.queries.size, self.one_field.keys.size
        # The gradient of this scatter is a gather and a sum, faster than that of an index that repeats.
        # A spare column takes the offsets without a key.
        index = index.masked_fill(~valid, keys).expand(len(self.bias), -1, -1)
        pairs = self.bias.new_zeros(len(self.bias), queries, keys + 1)
        pairs = pairs.scatter(2, index, self.bias.unsqueeze(1).expand(-1, queries, -1))
        return pairs[..., :-1].unsqueeze(0)

    def check(self) -> None:
        """Raise a ValueError for the first argument that does not fit the others."""
        self._check_types()
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

    def _check_types(self) -> None:
        for name, x in (("q", self.q), ("k", self.k), ("v", self.v), ("bias", self.bias)):
            if x is not None and not isinstance(cast(object, x), Tensor):
                raise ValueError(f"{name} must be a Tensor, got {type(x).__name__}")
        one_or_more = isinstance(cast(object, self.field), FIELDS)
        if not one_or_more or not all(isinstance(cast(object, field), Field) for field in self.fields):
            raise ValueError(f"field must be a Field or one per head, got {type(self.field).__name__}")
        q, k, v = self.q, self.k, self.v
        if not q.is_floating_point():
            raise ValueError(f"q must be floating-point numbers, got {q.dtype}")
        if not q.dtype == k.dtype == v.dtype and not torch.is_autocast_enabled(q.device.type):
            raise ValueError(f"q, k and v must have one dtype, got {q.dtype}, {k.dtype}, {v.dtype}")
        if not q.device == k.device == v.device == (q if self.bias is None else self.bias).device:
            bias = "" if self.bias is None else f", and the bias on {self.bias.device}"
            raise ValueError(
                f"q, k, v and bias must be on one device, got {q.device}, {k.device}, {v.device}{bias}"
            )

    def _check_bias(self, bias: Tensor) -> None:
        heads, shape = self.q.shape[1], tuple(bias.shape)
        if bias.ndim == 2:
            if not (isinstance(self.field, Field) and self.field.is_linear):
                raise ValueError(
                    f"a bias (num_heads, K) needs one field by offsets or indices, got {shape=} with "
                    f"{self.field}"
                )
            if shape != (heads, count := self.field.columns):
                raise ValueError(
                    f"a bias per offset must be (num_heads, K) = ({heads}, {count}), got {shape=}"
                )
            return
        logits = (*self.q.shape[:3], self.k.shape[2])
        if bias.ndim != 4 or any(n not in (1, most) for n, most in zip(shape, logits, strict=True)):
            raise ValueError(
                f"bias must broadcast to {logits} or be (num_heads, K) for a field by offsets, got {shape=}"
            )
