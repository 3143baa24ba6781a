"""Multi-head attention on tokens: a linear map to q, k and v, attention inside a field, a linear map back.

>>> import torch
>>> from vision.fields import neighbourhood
>>> from vision.patches import Grid
>>> MultiHeadAttention(64, 4, field=neighbourhood(Grid(8, 8), kernel_size=3))(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

import torch
import torch.fx
from torch import Tensor, nn

from vision.argument_types import checked
from vision.attention.dispatch import attend
from vision.attention.options import head_width
from vision.fields import Field
from vision.patches import Grid, check_tokens, given_grid
from vision.positions import QuadraticBias, RelativeBias, Rotary

# Symbolic tracing records a call of it, as its checks cannot be traced.
torch.fx.wrap("check_tokens")


class MultiHeadAttention(nn.Module):
    """(B, N, C) -> (B, N, C): self-attention (Vaswani et al., 2017) inside a field; submodules as in timm.

    Args:
        dim: width C of a token.
        num_heads: number of heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        field: who attends to whom, with queries and keys on one grid; None is full attention over any N.
        relative_bias: learn a number per head and relative position, added to the logits; needs a field.
        quadratic_bias: learn a centre and a width per head (`vision.positions.QuadraticBias`), added to the
            logits; needs a field by offsets or the full one.
        rotary: rotate queries and keys by position (`vision.positions.Rotary`); needs a field.
        backend: backend of `attend`.
        qkv_bias: add a bias to q, k and v.

    Raises:
        ValueError: num_heads does not divide dim, or the field is missing or has two sizes.
    """

    relative_bias: RelativeBias | None
    quadratic_bias: QuadraticBias | None
    rotary: Rotary | None

    @checked
    def __init__(
        self,
        dim: int,
        num_heads: int = 4,
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
        self.dim, self.num_heads, self.head_dim = dim, num_heads, head_width(dim, num_heads, head_dim)
        _check_field(field, relative_bias=relative_bias, quadratic_bias=quadratic_bias, rotary=rotary)
        self.field, self.backend = field, backend
        self.relative_bias = self.quadratic_bias = self.rotary = None
        self.qkv = nn.Linear(dim, 3 * num_heads * self.head_dim, bias=qkv_bias, device=device, dtype=dtype)
        if field and relative_bias:
            self.relative_bias = RelativeBias(field, num_heads, device=device, dtype=dtype)
        if field and quadratic_bias:
            self.quadratic_bias = QuadraticBias(field, num_heads, device=device, dtype=dtype)
        if field and rotary:
            self.rotary = Rotary(field.queries, self.head_dim, device=device, dtype=dtype)
        self.proj = nn.Linear(num_heads * self.head_dim, dim, device=device, dtype=dtype)

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        q, k, v = self._qkv(x, grid)
        field = self.field and self.field.on(grid)
        x = attend(q, k, v, field, self._bias(grid), backend=self.backend)
        return self.proj(x.transpose(1, 2).flatten(2))

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): the weight of each key (column) for each query (row)."""
        q, k, v = self._qkv(x)
        return attend(q, k, v, self.field, self._bias(), need_weights=True)[1]

    def extra_repr(self) -> str:
        """Return what nn.Module prints of this module in addition to its submodules."""
        return f"num_heads={self.num_heads}, head_dim={self.head_dim}, backend={self.backend!r}"

    def _qkv(self, x: Tensor, grid: Grid | None = None) -> tuple[Tensor, Tensor, Tensor]:
        count = self.field.queries.size if self.field and not given_grid(grid) else None
        x = check_tokens(x, self.dim, count)
        # (B, N, 3 * H * D) -> three views (B, H, N, D) whose memory stays (B, N, H, D)
        qkv = torch.unflatten(self.qkv(x), -1, (3, self.num_heads, self.head_dim))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return (q, k, v) if self.rotary is None else (self.rotary(q, grid), self.rotary(k, grid), v)

    def _bias(self, grid: Grid | None = None) -> Tensor | None:
        if self.relative_bias is not None and self.quadratic_bias is not None:
            return self.relative_bias(grid) + self.quadratic_bias(grid)
        bias = self.relative_bias or self.quadratic_bias
        return None if bias is None else bias(grid)


def _check_field(field: Field | None, **positions: bool) -> None:
    """Raise a ValueError if the field does not fit self-attention or the positions that are asked for."""
    names = ", ".join(name for name, wanted in positions.items() if wanted)
    if field is None:
        if names:
            raise ValueError(
                f"{names} needs a field, which gives the grid; give field=full(grid) for all tokens"
            )
        return
    if field.queries.size != field.keys.size:
        raise ValueError(f"field must have as many queries as keys, got {field.queries} and {field.keys}")
    if positions["rotary"] and field.queries != field.keys:
        raise ValueError(f"rotary needs queries and keys on one grid, got {field.queries} and {field.keys}")
