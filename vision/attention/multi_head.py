"""Multi-head attention on tokens: a linear map to q, k and v, attention inside a field, a linear map back.

>>> MultiHeadAttention(64, 4, field=neighbourhood(Grid(8, 8), kernel_size=3))(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

import torch
from torch import Tensor, nn

from vision.attention.dispatch import attend
from vision.fields import Field
from vision.positions import QuadraticBias, RelativeBias, Rotary


class MultiHeadAttention(nn.Module):
    """(B, N, C) -> (B, N, C): self-attention (Vaswani et al., 2017) inside a field; submodules as timm's.

    Args:
        dim: width C of a token.
        num_heads: heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        field: who attends to whom, queries and keys on one grid; None is full attention over any N.
        relative_bias: learn a number per head and relative place, added to the logits; needs a field.
        quadratic_bias: learn a centre and a width per head, likewise (`vision.positions.QuadraticBias`).
        rotary: turn queries and keys by their places (`vision.positions.Rotary`); needs a field.
        backend: that of `attend`.
        qkv_bias: give q, k and v a bias.

    Raises:
        ValueError: num_heads does not divide dim, or the field is missing or has two sizes.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        head_dim: int | None = None,
        field: Field | None = None,
        relative_bias: bool = False,
        quadratic_bias: bool = False,
        rotary: bool = False,
        backend: str = "auto",
        qkv_bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if num_heads < 1 or (head_dim is not None and head_dim < 1):
            raise ValueError(f"num_heads and head_dim must be at least 1, got {num_heads=}, {head_dim=}")
        if head_dim is None and dim % num_heads:
            fits = ", ".join(str(n) for n in range(1, dim + 1) if dim % n == 0)
            raise ValueError(f"num_heads must divide dim, got {dim=}, {num_heads=}; {fits} would fit")
        if field is not None and field.queries.size != field.keys.size:
            raise ValueError(
                f"self-attention needs as many queries as keys, got {field.queries}, {field.keys}"
            )
        wanted = {"relative_bias": relative_bias, "quadratic_bias": quadratic_bias, "rotary": rotary}
        if field is None and any(wanted.values()):
            names = ", ".join(name for name, is_wanted in wanted.items() if is_wanted)
            raise ValueError(f"{names} needs a field, for the grid it speaks of; full(grid) is the plain one")
        if rotary and field is not None and field.queries != field.keys:
            raise ValueError(f"rotary needs queries and keys on one grid, got {field.queries}, {field.keys}")
        self.num_heads, self.head_dim = num_heads, head_dim or dim // num_heads
        self.field, self.backend = field, backend
        inner = self.num_heads * self.head_dim
        self.qkv = nn.Linear(dim, 3 * inner, bias=qkv_bias, device=device, dtype=dtype)
        self.relative_bias = (
            RelativeBias(field, num_heads, device=device, dtype=dtype)
            if relative_bias and field is not None
            else None
        )
        self.quadratic_bias = (
            QuadraticBias(field, num_heads, device=device, dtype=dtype)
            if quadratic_bias and field is not None
            else None
        )
        self.rotary = (
            Rotary(field.queries, self.head_dim, device=device, dtype=dtype)
            if rotary and field is not None
            else None
        )
        self.proj = nn.Linear(inner, dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        q, k, v = self._qkv(x)
        x = attend(q, k, v, self.field, self._bias(), backend=self.backend)
        return self.proj(x.transpose(1, 2).flatten(2))

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): how much each query (row) takes from each key (column)."""
        q, k, v = self._qkv(x)
        return attend(q, k, v, self.field, self._bias(), need_weights=True)[1]

    def extra_repr(self) -> str:
        """() -> what nn.Module prints of this module besides its submodules."""
        return f"num_heads={self.num_heads}, head_dim={self.head_dim}, backend={self.backend!r}"

    def _qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # (B, N, 3 * H * D) -> three views (B, H, N, D) whose memory stays (B, N, H, D)
        q, k, v = (
            self.qkv(x).unflatten(-1, (3, self.num_heads, self.head_dim)).permute(2, 0, 3, 1, 4).unbind(0)
        )
        return (q, k, v) if self.rotary is None else (self.rotary(q), self.rotary(k), v)

    def _bias(self) -> Tensor | None:
        if self.relative_bias is not None and self.quadratic_bias is not None:
            return self.relative_bias() + self.quadratic_bias()
        bias = self.relative_bias or self.quadratic_bias
        return None if bias is None else bias()
