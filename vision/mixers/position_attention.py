"""Attention whose weights come from places alone: what static and quadratic attention have in common.

>>> by_position(torch.randn(2, 4, 64, 16), torch.zeros(4, 9), neighbourhood(Grid(8, 8), 3)).shape
torch.Size([2, 4, 64, 16])
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from vision.attention import attend
from vision.fields import Field, full, neighbourhood
from vision.patches import Grid


def by_position(v: Tensor, scores: Tensor, field: Field, backend: str = "auto") -> Tensor:
    """v (B, H, N, D) -> (B, H, N, D): attention by scores that are the same for every image.

    So one softmax serves the batch: its images lie side by side in the values of a single one, next to
    content scores of 0.

    Args:
        scores: (H, K) for a field by K offsets, else broadcastable to (1, H, N, N).
        field: who attends to whom.
        backend: that of `vision.attention.attend`.
    """
    # (B, H, N, D) -> (1, H, N, B * D) and back
    values = v.permute(1, 2, 0, 3).flatten(2).unsqueeze(0)
    none = v.new_zeros(1, v.shape[1], v.shape[2], 1)
    out = attend(none, none, values, field, scores, backend=backend).squeeze(0)
    return out.unflatten(2, (-1, v.shape[3])).permute(2, 0, 1, 3)


def position_map(x: Tensor, scores: Tensor, field: Field, num_heads: int) -> Tensor:
    """x (B, N, C) -> (B, num_heads, N, N): the weights of `by_position`; of x only its form counts."""
    none = x.new_zeros(1, num_heads, x.shape[1], 1)
    return attend(none, none, none, field, scores, need_weights=True)[1].expand(len(x), -1, -1, -1)


def square_field(grid: Grid, kernel_size: int | None) -> Field:
    """Field of the kernel_size x kernel_size tokens around each query, or of all for None."""
    return full(grid) if kernel_size is None else neighbourhood(grid, kernel_size)


class PositionAttention(nn.Module, ABC):
    """(B, N, C) -> (B, N, C): a linear map to values, their averages by position, a linear map back.

    The two maps are self-attention's; there are no queries and keys. A subclass says what the scores are.

    Args:
        dim: width C of a token.
        field: who attends to whom.
        num_heads: heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        v_bias: give the values a bias.
        backend: that of `vision.attention.attend`.

    Raises:
        ValueError: num_heads is not positive or does not divide dim.
    """

    def __init__(
        self,
        dim: int,
        field: Field,
        *,
        num_heads: int,
        head_dim: int | None = None,
        v_bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if num_heads < 1 or (head_dim is not None and head_dim < 1):
            raise ValueError(f"num_heads and head_dim must be at least 1, got {num_heads=}, {head_dim=}")
        if head_dim is None and dim % num_heads:
            fits = ", ".join(str(n) for n in range(1, dim + 1) if dim % n == 0)
            raise ValueError(f"num_heads must divide dim, got {dim=}, {num_heads=}; {fits} would fit")
        self.num_heads, self.head_dim = num_heads, head_dim or dim // num_heads
        self.field, self.backend = field, backend
        inner = self.num_heads * self.head_dim
        self.v = nn.Linear(dim, inner, bias=v_bias, device=device, dtype=dtype)
        self.proj = nn.Linear(inner, dim, device=device, dtype=dtype)

    @abstractmethod
    def scores(self) -> Tensor:
        """() -> (num_heads, K) for a field by K offsets, else broadcastable to (1, num_heads, N, N)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        v = self.v(x).unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)
        x = by_position(v, self.scores(), self.field, self.backend)
        return self.proj(x.transpose(1, 2).flatten(2))

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): the same for every image."""
        return position_map(x, self.scores(), self.field, self.num_heads)

    def extra_repr(self) -> str:
        """() -> what nn.Module prints of this module besides its submodules."""
        return f"num_heads={self.num_heads}, head_dim={self.head_dim}, backend={self.backend!r}"
