"""Rotary positions: queries and keys are turned by their place, so that products know its difference.

>>> Rotary(Grid(8, 8), 16)(torch.randn(2, 4, 64, 16)).shape
torch.Size([2, 4, 64, 16])
"""

import torch
from timm.layers import apply_rot_embed, build_rotary_pos_embed
from torch import Tensor, nn

from vision.patches import Grid

_BASE = 100.0  # Heo et al. (2024): a grid is shorter than a text, for which Su et al. took 10,000


class Rotary(nn.Module):
    """(B, H, N, D) -> (B, H, N, D): pairs of dimensions turned by the row, then others by the column.

    RoPE (Su et al., 2021) in its axial form for grids (Heo et al., 2024): pair i of the first half turns by
    row / 100^(i / (D // 4)), that of the second half by the column likewise. A query and a key that are
    both turned have a product that depends on their places through the difference alone, and lengths stay
    as they are. Dimensions beyond the largest multiple of 4 are not turned. It has no parameters, and no
    checkpoint carries it.

    Args:
        grid: where the tokens sit.
        head_dim: width D of a head.

    Raises:
        ValueError: head_dim is below 4, so that a row and a column would not fit.
    """

    sin: Tensor
    cos: Tensor

    def __init__(
        self,
        grid: Grid,
        head_dim: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if head_dim < 4:
            raise ValueError(f"rotary positions need a head_dim of at least 4, got {head_dim=}")
        self.grid, self.head_dim, self.turned = grid, head_dim, 4 * (head_dim // 4)
        sin, cos = build_rotary_pos_embed(
            [grid.rows, grid.cols],
            dim=head_dim,
            temperature=_BASE,
            in_pixels=False,
            device=torch.device("cpu"),
        )
        for name, table in (("sin", sin), ("cos", cos)):
            table = table.to(device=device, dtype=dtype or torch.get_default_dtype())
            self.register_buffer(name, table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, N, D) -> (B, H, N, D), of the dtype of x."""
        turned = apply_rot_embed(x[..., : self.turned], self.sin, self.cos).type_as(x)
        return turned if self.turned == self.head_dim else torch.cat((turned, x[..., self.turned :]), -1)
