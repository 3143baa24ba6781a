"""Rotary positions: queries and keys are rotated, so that their product depends on relative position.

>>> import torch
>>> from vision.patches import Grid
>>> Rotary(Grid(8, 8), 16)(torch.randn(2, 4, 64, 16)).shape
torch.Size([2, 4, 64, 16])
"""

from copy import deepcopy
from typing import Unpack

import torch
from timm.layers.pos_embed_sincos import apply_rot_embed, build_rotary_pos_embed
from torch import Tensor, nn

from vision.device_dtype import DeviceDtype
from vision.patches import Grid, given_grid

_BASE = 100.0  # Heo et al. (2024): a grid is shorter than a text, for which Su et al. used 10,000


class Rotary(nn.Module):
    """(B, H, N, D) -> (B, H, N, D): rotates pairs of dimensions by the row, then others by the column.

    RoPE (Su et al., 2021) in its axial form for grids (Heo et al., 2024). Pair i of the first half is rotated
    by row / 100^(i / (D // 4)), pair i of the second half by the column in the same way. The product of a
    rotated query and key depends on their positions only through the difference, and lengths are kept.
    Dimensions beyond the largest multiple of 4 are not rotated. It has no parameters and is not saved in
    checkpoints.

    Args:
        grid: grid of the tokens.
        head_dim: width D of a head.

    Raises:
        ValueError: head_dim is below 4, which leaves no room for a row and a column.
    """

    sin: Tensor
    cos: Tensor

    def __init__(self, grid: Grid, head_dim: int, **dd: Unpack[DeviceDtype]) -> None:
        super().__init__()
        if head_dim < 4:
            raise ValueError(f"rotary positions need a head_dim of at least 4, got {head_dim=}")
        self.grid, self.head_dim, self.rotary_dim = grid, head_dim, 4 * (head_dim // 4)
        sin, cos = self._tables(grid)
        for name, table in (("sin", sin), ("cos", cos)):
            table = table.to(device=dd.get("device"), dtype=dd.get("dtype") or torch.get_default_dtype())
            self.register_buffer(name, table, persistent=False)

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, H, N, D) -> (B, H, N, D), in the dtype of x.

        Args:
            x: queries or keys.
            grid: another grid than the constructor's.
        """
        sin, cos = self._tables(other) if (other := given_grid(grid)) else (self.sin, self.cos)
        rotated = apply_rot_embed(x[..., : self.rotary_dim], sin, cos).type_as(x)
        if self.rotary_dim == self.head_dim:
            return rotated
        return torch.cat((rotated, x[..., self.rotary_dim :]), -1)

    def _tables(self, grid: Grid) -> tuple[Tensor, Tensor]:
        """Return sin and cos, (N, rotary_dim) each."""
        like = getattr(self, "sin", torch.empty(0, device="cpu"))
        sides, device = [grid.rows, grid.cols], like.device
        sin, cos = build_rotary_pos_embed(
            sides, dim=self.head_dim, temperature=_BASE, in_pixels=False, device=device
        )
        return sin.to(like.dtype), cos.to(like.dtype)

    def resized(self, grid: Grid) -> "Rotary":
        """Return the formula on another grid: a token keeps its row and column, not its share of the side."""
        new = deepcopy(self)
        computed = Rotary(grid, self.head_dim, device=self.sin.device, dtype=self.sin.dtype)
        new.grid, new.sin, new.cos = grid, computed.sin, computed.cos
        return new
