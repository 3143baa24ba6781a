"""Attention with weights by position alone: what static and quadratic attention have in common.

>>> attend_by_position(torch.randn(2, 4, 64, 16), torch.zeros(4, 9), neighbourhood(Grid(8, 8), 3)).shape
torch.Size([2, 4, 64, 16])
"""

from abc import ABC, abstractmethod

import torch
import torch.fx
from torch import Tensor, nn

from vision.attention import attend
from vision.attention.options import head_width
from vision.fields import Field, full, neighbourhood
from vision.patches import Grid, check_tokens

# Symbolic tracing records a call of it, as its checks cannot be traced.
torch.fx.wrap("check_tokens")


def attend_by_position(v: Tensor, scores: Tensor, field: Field, backend: str = "auto") -> Tensor:
    """v (B, H, N, D) -> (B, H, N, D): attention by scores that are the same for every image.

    One softmax serves the whole batch: its images are concatenated in the values of a single image, with
    content scores of 0.

    Args:
        scores: (H, K) for a field by K offsets, else broadcastable to (1, H, N, N).
        field: who attends to whom.
        backend: backend of `vision.attention.attend`.
    """
    # (B, H, N, D) -> (1, H, N, B * D) and back
    values = v.permute(1, 2, 0, 3).flatten(2).unsqueeze(0)
    zeros = v.new_zeros(1, v.shape[1], v.shape[2], 1)
    out = attend(zeros, zeros, values, field, scores, backend=backend).squeeze(0)
    return torch.unflatten(out, 2, (-1, v.shape[3])).permute(2, 0, 1, 3)


def position_map(x: Tensor, scores: Tensor, field: Field, num_heads: int) -> Tensor:
    """x (B, N, C) -> (B, num_heads, N, N): the weights of `attend_by_position`; only x.shape is used."""
    zeros = x.new_zeros(1, num_heads, x.shape[1], 1)
    return attend(zeros, zeros, zeros, field, scores, need_weights=True)[1].expand(len(x), -1, -1, -1)


def square_field(grid: Grid, kernel_size: int | None) -> Field:
    """Return the field of kernel_size x kernel_size tokens around each query, or the full one for None."""
    return full(grid) if kernel_size is None else neighbourhood(grid, kernel_size)


class PositionAttention(nn.Module, ABC):
    """(B, N, C) -> (B, N, C): a linear map to values, their averages by position, a linear map back.

    The two maps are those of self-attention; there are no queries and keys. A subclass defines the scores.

    Args:
        dim: width C of a token.
        field: who attends to whom.
        num_heads: number of heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        v_bias: add a bias to the values.
        backend: backend of `vision.attention.attend`.

    Raises:
        ValueError: num_heads is not positive or does not divide dim.
    """

    def __init__(
        self,
        dim: int,
        field: Field,
        *,
        num_heads: int = 4,
        head_dim: int | None = None,
        v_bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.dim, self.num_heads, self.head_dim = dim, num_heads, head_width(dim, num_heads, head_dim)
        self.field, self.backend = field, backend
        inner = self.num_heads * self.head_dim
        self.v = nn.Linear(dim, inner, bias=v_bias, device=device, dtype=dtype)
        self.proj = nn.Linear(inner, dim, device=device, dtype=dtype)

    @abstractmethod
    def scores(self, grid: Grid | None = None) -> Tensor:
        """Return (num_heads, K) for a field by K offsets, else broadcastable to (1, num_heads, N, N).

        Args:
            grid: another grid than the constructor's.
        """

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        field = self.field.on(grid)
        v = torch.unflatten(self.v(check_tokens(x, self.dim)), -1, (self.num_heads, self.head_dim)).transpose(
            1, 2
        )
        x = attend_by_position(v, self.scores(grid), field, self.backend)
        return self.proj(x.transpose(1, 2).flatten(2))

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): the weights, which are the same for every image."""
        return position_map(x, self.scores(), self.field, self.num_heads)

    def extra_repr(self) -> str:
        """Return what nn.Module prints of this module in addition to its submodules."""
        return f"num_heads={self.num_heads}, head_dim={self.head_dim}, backend={self.backend!r}"
