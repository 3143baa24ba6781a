"""Positions that are added to the tokens: learned, sinusoidal, or computed from the tokens around.

>>> import torch
>>> from vision.patches import Grid
>>> create_position("sinusoidal", Grid(8, 8), dim=64)(torch.zeros(1, 64, 64)).shape
torch.Size([1, 64, 64])
"""

from copy import deepcopy
from typing import Unpack

import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor, nn

from vision.device_dtype import DeviceDtype
from vision.patches import Grid, given_grid, images_to_tokens, tokens_to_images
from vision.positions.resizing import parameter_like

POSITIONS = ("none", "learned", "sinusoidal", "conditional")
_LONGEST_WAVE = 10_000.0


def create_position(name: str, grid: Grid, dim: int, **dd: Unpack[DeviceDtype]) -> nn.Module:
    """Return a module (B, N, C) -> (B, N, C) that adds a position to every token of a grid.

    Args:
        name: "none" leaves the tokens a set; "learned" is ViT's free table (Dosovitskiy et al., 2021);
            "sinusoidal" is fixed and two-dimensional (Vaswani et al., 2017; Beyer et al., 2022);
            "conditional" is computed from the tokens around (Chu et al., 2021).
        grid: grid of the tokens.
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
    return kinds[name](grid, dim, **dd)


def sinusoidal(grid: Grid, dim: int, device: torch.device | str = "cpu") -> Tensor:
    """Return (N, dim) in float64: sine and cosine of the row, then of the column, at dim // 4 wavelengths.

    Dimensions beyond the largest multiple of 4 are 0. The wavelengths range from 2 pi to 10,000 times that,
    as in "Attention is all you need".

    Raises:
        ValueError: dim is below 4, which leaves no room for a row and a column.
    """
    if dim < 4:
        raise ValueError(f"a sinusoidal position needs dim of at least 4, got {dim=}")
    count = dim // 4
    frequency = _LONGEST_WAVE ** -(torch.arange(count, dtype=torch.float64, device=device) / count)
    # (N, 2, 1) * (count) -> (N, 2, count)
    angles = grid.coordinates(device)[..., None] * frequency
    table = torch.cat((angles.sin(), angles.cos()), dim=-1).flatten(1)
    return nn.functional.pad(table, (0, dim - 4 * count))


class LearnedPosition(nn.Module):
    """(B, N, C) -> (B, N, C): adds a learned vector per token, `pos_embed` (1, N, C) as in timm."""

    def __init__(self, grid: Grid, dim: int, **dd: Unpack[DeviceDtype]) -> None:
        super().__init__()
        self.grid = grid
        self.pos_embed = nn.Parameter(torch.empty(1, grid.size, dim, **dd))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        return x + (self._table(other) if (other := given_grid(grid)) else self.pos_embed)

    def resized(self, grid: Grid) -> "LearnedPosition":
        """Return the table interpolated as an image by timm: bicubic, antialiased where it shrinks."""
        new = deepcopy(self)
        new.grid, new.pos_embed = grid, parameter_like(self._table(grid), self.pos_embed)
        return new

    def _table(self, grid: Grid) -> Tensor:
        """Return (1, N, C) on another grid."""
        sizes = [grid.rows, grid.cols], [self.grid.rows, self.grid.cols]
        return resample_abs_pos_embed(self.pos_embed, *sizes, num_prefix_tokens=0)


class SinusoidalPosition(nn.Module):
    """(B, N, C) -> (B, N, C): adds `sinusoidal`, a fixed buffer that is not saved in checkpoints."""

    pos_embed: Tensor

    def __init__(self, grid: Grid, dim: int, **dd: Unpack[DeviceDtype]) -> None:
        super().__init__()
        self.grid = grid
        table = sinusoidal(grid, dim).to(
            device=dd.get("device"), dtype=dd.get("dtype") or torch.get_default_dtype()
        )
        self.register_buffer("pos_embed", table[None], persistent=False)

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        if (other := given_grid(grid)) is None:
            return x + self.pos_embed
        return x + sinusoidal(other, x.shape[-1], x.device).to(self.pos_embed.dtype)

    def resized(self, grid: Grid) -> "SinusoidalPosition":
        """Return the formula on another grid: a token keeps its row and column, not its share of the side."""
        new, like = deepcopy(self), self.pos_embed
        computed = SinusoidalPosition(grid, like.shape[-1], device=like.device, dtype=like.dtype)
        new.grid, new.pos_embed = grid, computed.pos_embed
        return new


class ConditionalPosition(nn.Module):
    """(B, N, C) -> (B, N, C): adds a 3 x 3 depthwise convolution of the tokens.

    The positional encoding generator of CPVT (Chu et al., 2021), which finds the border by its zero padding.
    Here it comes before the first block, in the paper after it. It mixes 3 x 3 tokens itself, which widens
    the receptive field of what follows by one token on each side.
    """

    def __init__(self, grid: Grid, dim: int, **dd: Unpack[DeviceDtype]) -> None:
        super().__init__()
        self.grid = grid
        self.proj = nn.Conv2d(dim, dim, 3, padding=1, groups=dim, **dd)

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        return x + images_to_tokens(self.proj(tokens_to_images(x, given_grid(grid) or self.grid)))

    def resized(self, grid: Grid) -> "ConditionalPosition":
        """Return the same convolution on another grid."""
        new = deepcopy(self)
        new.grid = grid
        return new
