"""Self-attention within the tiles of a grid: Swin's, with or without its shift; cost linear in the tokens."""

from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from vision.attention import MultiHeadAttention, attend
from vision.fields import full, tiled, tiles
from vision.patches import Grid
from vision.positions import RelativeBias

_MASKED = 64  # tokens up to which a mask is faster than several groups of tiles


class Run(NamedTuple):
    """Tiles of one length that follow each other along a side: their places, and that length."""

    places: slice
    length: int


class WindowAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head attention among the tokens of each window x window tile.

    That of Swin (Liu et al., 2021), whose layers alternate between shift 0 and half a window. Its shift is
    cyclic and masked; here the tiles at the border are smaller, which says the same without a mask. Tiles of
    one shape are computed together, as images of a batch: at most 3 x 3 groups of them. Several groups on a
    grid of at most 64 tokens cost more than a mask, and get one.

    Args:
        dim: width C of a token.
        grid: where the tokens sit; the window need not divide it.
        window: tokens across a tile; a side that is no longer is one tile.
        shift: rows and columns by which the tiles are moved, 0 to window - 1.
        num_heads: heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        relative_bias: learn a number per head and relative place in a tile, added to the logits.
        qkv_bias: give q, k and v a bias.
        backend: that of `vision.attention.attend`, within a tile.
    """

    place: Tensor

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        window: int = 4,
        shift: int = 0,
        num_heads: int = 4,
        head_dim: int | None = None,
        relative_bias: bool = False,
        qkv_bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            dim,
            num_heads,
            head_dim=head_dim,
            field=tiled(grid, window, shift=shift),
            qkv_bias=qkv_bias,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.grid = grid
        self.spans = [tiles(side, window, shift=shift) for side in (grid.rows, grid.cols)]
        self.runs = [_runs(spans) for spans in self.spans]
        self.tile = Grid(*(max(run.length for run in runs) for runs in self.runs))
        if relative_bias:
            self.relative_bias = RelativeBias(full(self.tile), num_heads, device=device, dtype=dtype)
            self.register_buffer("place", self._places_in_tile().to(device), persistent=False)
        self.masked = grid.size <= _MASKED and len(self.runs[0]) * len(self.runs[1]) > 1

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        if self.masked:
            return super().forward(x)
        qkv = [y.unflatten(2, (self.grid.rows, self.grid.cols)) for y in self._qkv(x)]
        bias = None if self.relative_bias is None else self.relative_bias()
        down, across = self.runs
        rows = [torch.cat([self._attend(qkv, bias, row, col) for col in across], dim=2) for row in down]
        # (B, rows, cols, H, D) -> (B, N, H * D)
        return self.proj(torch.cat(rows, dim=1).flatten(3).flatten(1, 2))

    def _bias(self) -> Tensor | None:
        """() -> (1, num_heads, N, N) of the grid; what it says between two tiles, the field leaves out."""
        if self.relative_bias is None:
            return None
        return self.relative_bias()[:, :, self.place][..., self.place]

    def _places_in_tile(self) -> Tensor:
        """() -> long (N,): the index of each token's place in a tile of the largest shape."""
        row, col = (
            torch.tensor([place for span in spans for place in range(_extent(span))], device="cpu")
            for spans in self.spans
        )
        return (row[:, None] * self.tile.cols + col).flatten()

    def _attend(self, qkv: list[Tensor], bias: Tensor | None, rows: Run, cols: Run) -> Tensor:
        """q, k, v (B, H, R, C, D) -> (B, rows, cols, H, D): one group of tiles of the same shape."""
        shape = rows.length, cols.length
        q, k, v = (_split(y[:, :, rows.places, cols.places], *shape) for y in qkv)
        if bias is not None:
            sides = (self.tile.rows, self.tile.cols)
            bias = bias.unflatten(3, sides).unflatten(2, sides)
            bias = bias[:, :, : shape[0], : shape[1], : shape[0], : shape[1]].flatten(4).flatten(2, 3)
        x = attend(q, k, v, full(Grid(*shape)), bias, backend=self.backend)
        counts = _extent(rows.places) // shape[0], _extent(cols.places) // shape[1]
        # (B * tiles, H, tokens, D) -> (B, down, across, H, rows, cols, D)
        x = x.unflatten(2, shape).unflatten(0, (-1, *counts))
        # -> (B, down, rows, across, cols, H, D)
        return x.permute(0, 1, 4, 2, 5, 3, 6).flatten(3, 4).flatten(1, 2)


def _split(x: Tensor, rows: int, cols: int) -> Tensor:
    """(B, H, R, C, D) -> (B * tiles, H, rows * cols, D)."""
    # -> (B, H, down, rows, across, cols, D) -> (B, down, across, H, rows, cols, D)
    x = x.unflatten(3, (-1, cols)).unflatten(2, (-1, rows)).permute(0, 2, 4, 1, 3, 5, 6)
    return x.flatten(4, 5).flatten(0, 2)


def _runs(spans: list[slice]) -> list[Run]:
    """() -> neighbouring tiles of one length, gathered."""
    runs = []
    for length, group in groupby(spans, _extent):
        first, *rest = group
        runs.append(Run(slice(first.start, (rest or [first])[-1].stop), length))
    return runs


def _extent(span: slice) -> int:
    return span.stop - span.start
