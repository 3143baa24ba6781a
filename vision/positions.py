"""Where a token sits: positions added to tokens, and a learned bias per relative place.

>>> create_position("sinusoidal", Grid(8, 8), dim=64)(torch.zeros(1, 64, 64)).shape
torch.Size([1, 64, 64])
"""

import torch
from torch import Tensor, nn

from vision.fields import Field
from vision.patches import Grid

POSITIONS = ("none", "learned", "sinusoidal")
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
            "sinusoidal" is fixed and two-dimensional (Vaswani et al., 2017; Beyer et al., 2022).
        grid: where the tokens sit.
        dim: width C of a token.

    Raises:
        ValueError: the name is unknown, or dim is below 4 for sinusoidal.
    """
    if name == "none":
        return nn.Identity()
    if name == "learned":
        return LearnedPosition(grid, dim, device=device, dtype=dtype)
    if name == "sinusoidal":
        return SinusoidalPosition(grid, dim, device=device, dtype=dtype)
    raise ValueError(f"position must be one of {', '.join(POSITIONS)}; got {name!r}")


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
        table = sinusoidal(grid, dim).to(device=device, dtype=dtype or torch.get_default_dtype())
        self.register_buffer("pos_embed", table[None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        return x + self.pos_embed


class RelativeBias(nn.Module):
    """() -> bias of the logits: one learned number per head and relative (row, col) place of the key.

    For a field by K offsets the table is (num_heads, K) and is returned as it is. For any other field it has
    one number for each of the (2R - 1)(2C - 1) differences on an R x C grid and is returned dense,
    (1, num_heads, N_query, N_key). As in Swin (Liu et al., 2021) it starts near 0.

    Args:
        field: who attends to whom.
        num_heads: heads of the attention.
    """

    index: Tensor | None

    def __init__(
        self,
        field: Field,
        num_heads: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        index = None if field.offsets is not None else _relative_index(field.queries, field.keys).to(device)
        count = len(field.offsets or ()) if index is None else _differences(field.queries, field.keys).size
        self.register_buffer("index", index, persistent=False)
        self.table = nn.Parameter(torch.empty(num_heads, count, device=device, dtype=dtype))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self) -> Tensor:
        """() -> (num_heads, K) for a field by offsets, else (1, num_heads, N_query, N_key)."""
        return self.table if self.index is None else self.table[:, self.index].unsqueeze(0)


def _differences(queries: Grid, keys: Grid) -> Grid:
    """How many rows and columns a key can lie away from a query: a grid of all differences."""
    return Grid(queries.rows + keys.rows - 1, queries.cols + keys.cols - 1)


def _relative_index(queries: Grid, keys: Grid) -> Tensor:
    """() -> (N_query, N_key): the place of key - query in the grid of differences, row by row."""
    away = keys.coordinates()[None] - queries.coordinates()[:, None]
    row, col = (away + torch.tensor((queries.rows - 1, queries.cols - 1), device="cpu")).unbind(-1)
    return row * _differences(queries, keys).cols + col
