"""Self-attention within the tiles of a grid: Swin's, with or without its shift; cost linear in the tokens.

>>> WindowAttention(64, Grid(8, 8), window=4, shift=2)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from itertools import groupby
from typing import NamedTuple, Unpack

import torch
from torch import Tensor

from vision.attention import ContentOptions, MultiHeadAttention, attend, check_options
from vision.fields import full, tiled, tiles
from vision.patches import Grid, given_grid
from vision.positions import RelativeBias

_MAX_MASKED = 64  # tokens up to which a mask is faster than several groups of tiles


class TileRun(NamedTuple):
    """Neighbouring tiles of one length along a side: the positions that they cover, and that length."""

    positions: slice
    length: int


class WindowAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head attention among the tokens of each window x window tile.

    The attention of Swin (Liu et al., 2021), whose layers alternate between shift 0 and half a window. Swin's
    shift is cyclic and masked. Here the tiles at the border are smaller, which is equivalent and needs no
    mask. Tiles of one shape are computed together, as images of a batch: at most 3 x 3 groups. On a grid of
    at most 64 tokens, a mask is faster than several groups and is used instead.

    Args:
        dim: width C of a token.
        grid: grid of the tokens; the window need not divide it.
        window: tokens across a tile; a side that is not longer is one tile.
        shift: rows and columns by which the tiles are moved, 0 to window - 1.
        relative_bias: learn a number per head and relative position in a tile, added to the logits.
        options: see `ContentOptions`; the backend is used within a tile.
    """

    index_in_tile: Tensor

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        window: int = 4,
        shift: int = 0,
        relative_bias: bool = False,
        **options: Unpack[ContentOptions],
    ) -> None:
        check_options(options, ContentOptions)
        super().__init__(dim, field=tiled(grid, window, shift=shift), **options)
        self.grid = grid
        self.spans = [tiles(side, window, shift=shift) for side in (grid.rows, grid.cols)]
        self.runs = [_runs(spans) for spans in self.spans]
        self.tile = Grid(*(max(run.length for run in runs) for runs in self.runs))
        if relative_bias:
            device, dtype = options.get("device"), options.get("dtype")
            self.relative_bias = RelativeBias(full(self.tile), self.num_heads, device=device, dtype=dtype)
            self.register_buffer("index_in_tile", self._indices_in_tile().to(device), persistent=False)
        self.masked = grid.size <= _MAX_MASKED and len(self.runs[0]) * len(self.runs[1]) > 1

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C).

        Raises:
            ValueError: another grid is given; the tiles are those of the constructor's.
        """
        if given_grid(grid):
            raise ValueError(f"window attention is built for the tiles of one grid, {self.grid}")
        if self.masked:
            return super().forward(x)
        qkv = [torch.unflatten(y, 2, (self.grid.rows, self.grid.cols)) for y in self._qkv(x)]
        bias = None if self.relative_bias is None else self.relative_bias()
        down, across = self.runs
        rows = [torch.cat([self._attend(qkv, bias, row, col) for col in across], dim=2) for row in down]
        # (B, rows, cols, H, D) -> (B, N, H * D)
        return self.proj(torch.cat(rows, dim=1).flatten(3).flatten(1, 2))

    def _bias(self, grid: Grid | None = None) -> Tensor | None:
        """Return (1, num_heads, N, N) of the grid; between two tiles its values are masked by the field."""
        if self.relative_bias is None:
            return None
        return self.relative_bias()[:, :, self.index_in_tile][..., self.index_in_tile]

    def _indices_in_tile(self) -> Tensor:
        """Return long (N,): the index of each token in a tile of the largest shape."""
        row, col = (
            torch.tensor([index for span in spans for index in range(_extent(span))], device="cpu")
            for spans in self.spans
        )
        return (row[:, None] * self.tile.cols + col).flatten()

    def _attend(self, qkv: list[Tensor], bias: Tensor | None, rows: TileRun, cols: TileRun) -> Tensor:
        """q, k, v (B, H, R, C, D) -> (B, rows, cols, H, D): one group of tiles of the same shape."""
        shape = rows.length, cols.length
        q, k, v = (_split(y[:, :, rows.positions, cols.positions], *shape) for y in qkv)
        if bias is not None:
            sides = (self.tile.rows, self.tile.cols)
            bias = torch.unflatten(torch.unflatten(bias, 3, sides), 2, sides)
            bias = bias[:, :, : shape[0], : shape[1], : shape[0], : shape[1]].flatten(4).flatten(2, 3)
        x = attend(q, k, v, full(Grid(*shape)), bias, backend=self.backend)
        counts = _extent(rows.positions) // shape[0], _extent(cols.positions) // shape[1]
        # (B * tiles, H, tokens, D) -> (B, down, across, H, rows, cols, D)
        x = torch.unflatten(torch.unflatten(x, 2, shape), 0, (-1, *counts))
        # -> (B, down, rows, across, cols, H, D)
        return x.permute(0, 1, 4, 2, 5, 3, 6).flatten(3, 4).flatten(1, 2)


def _split(x: Tensor, rows: int, cols: int) -> Tensor:
    """(B, H, R, C, D) -> (B * tiles, H, rows * cols, D)."""
    # -> (B, H, down, rows, across, cols, D) -> (B, down, across, H, rows, cols, D)
    x = torch.unflatten(torch.unflatten(x, 3, (-1, cols)), 2, (-1, rows))
    return x.permute(0, 2, 4, 1, 3, 5, 6).flatten(4, 5).flatten(0, 2)


def _runs(spans: list[slice]) -> list[TileRun]:
    """Return neighbouring tiles of one length as one run."""
    groups = [(length, list(group)) for length, group in groupby(spans, _extent)]
    return [TileRun(slice(group[0].start, group[-1].stop), length) for length, group in groups]


def _extent(span: slice) -> int:
    return span.stop - span.start
