"""Positions that are added to the tokens: learned, sinusoidal, or read from the tokens around.

>>> create_position("sinusoidal", Grid(8, 8), dim=64)(torch.zeros(1, 64, 64)).shape
torch.Size([1, 64, 64])
"""

import torch
from torch import Tensor, nn

from vision.patches import Grid

POSITIONS = ("none", "learned", "sinusoidal", "conditional")
_LONGEST_WAVE = 10_000.0


def create_position(
    name: str,
    grid: Grid,
    dim: int,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Module:
    """Module (B, N, C) -> (B, N, C) that adds a position to every token of a grid.

    Args:
        name: "none" leaves the tokens a set; "learned" is ViT's free table (Dosovitskiy et al., 2021);
            "sinusoidal" is fixed and two-dimensional (Vaswani et al., 2017; Beyer et al., 2022);
            "conditional" is read from the tokens around (Chu et al., 2021).
        grid: where the tokens sit.
        dim: width C of a token.

    Raises:
        ValueError: the name is unknown, or dim is below 4 for sinusoidal.
    """
    if name == "none":
        return nn.Identity()
    kinds = {
        "learned": LearnedPosition,
        "sinusoidal": SinusoidalPosition,
        "conditional": ConditionalPosition,
    }
    if name not in kinds:
        raise ValueError(f"position must be one of {', '.join(POSITIONS)}; got {name!r}")
    return kinds[name](grid, dim, device=device, dtype=dtype)


def sinusoidal(grid: Grid, dim: int) -> Tensor:
    """() -> (N, dim) float64: sine and cosine of the row, then of the column, at dim // 4 wave lengths each.

    Dimensions beyond the largest multiple of 4 stay 0. The wave lengths run from 2 pi up to 10,000 times
    that, as in "Attention is all you need".

    Raises:
        ValueError: dim is below 4, so that a row and a column would not fit.
    """
    if dim < 4:
        raise ValueError(f"a sinusoidal position needs dim of at least 4, got {dim=}")
    count = dim // 4
    speed = _LONGEST_WAVE ** -(torch.arange(count, dtype=torch.float64, device="cpu") / count)
    # (N, 2, 1) * (count) -> (N, 2, count)
    angles = grid.coordinates()[..., None] * speed
    table = torch.cat((angles.sin(), angles.cos()), dim=-1).flatten(1)
    return nn.functional.pad(table, (0, dim - 4 * count))


class LearnedPosition(nn.Module):
    """(B, N, C) -> (B, N, C): a free vector per place, `pos_embed` (1, N, C) as timm's."""

    def __init__(
        self,
        grid: Grid,
        dim: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.pos_embed = nn.Parameter(torch.empty(1, grid.size, dim, device=device, dtype=dtype))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        return x + self.pos_embed


class SinusoidalPosition(nn.Module):
    """(B, N, C) -> (B, N, C): `sinusoidal` as a fixed buffer, which no checkpoint carries."""

    pos_embed: Tensor

    def __init__(
        self,
        grid: Grid,
        dim: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.grid = grid
        table = sinusoidal(grid, dim).to(device=device, dtype=dtype or torch.get_default_dtype())
        self.register_buffer("pos_embed", table[None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        return x + self.pos_embed


class ConditionalPosition(nn.Module):
    """(B, N, C) -> (B, N, C): adds what a 3 x 3 depthwise convolution reads around each token.

    The positional encoding generator of CPVT (Chu et al., 2021), which finds the border by its zero padding.
    It stands before the first block here and after it in the paper. It mixes 3 x 3 tokens itself, which
    widens the receptive field of what follows by one token a side.
    """

    def __init__(
        self,
        grid: Grid,
        dim: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.proj = nn.Conv2d(dim, dim, 3, padding=1, groups=dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        images = x.transpose(1, 2).unflatten(2, (self.grid.rows, self.grid.cols))
        return x + self.proj(images).flatten(2).transpose(1, 2)
