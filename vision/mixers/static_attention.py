"""Attention without content: a learned number for each relative position, through a softmax.

>>> import torch
>>> StaticAttention(64, Grid(8, 8), kernel_size=3)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from typing import Unpack

from torch import Tensor

from vision.attention import PositionOptions
from vision.dynamic import Arguments
from vision.fields import Field, FieldFunction, make_field
from vision.mixers.position_attention import PositionAttention, square_field
from vision.patches import Grid
from vision.positions import RelativeBias


class StaticAttention(PositionAttention):
    """(B, N, C) -> (B, N, C): each head averages its values with weights that depend on key - query alone.

    Synthesizer's random form (Tay et al., 2021), tied over equal relative positions: self-attention with a
    relative bias as its only logits. With a kernel_size it is a depthwise convolution between two linear
    maps, except for the softmax. The kernel of each head is positive and sums to 1, at the border over what
    is left of it. Han et al. (2022) compare the two with local attention.

    Args:
        dim: width C of a token.
        grid: grid of the tokens.
        kernel_size: odd number of tokens across the neighbourhood; None is the whole grid.
        field: who attends to whom, instead of a kernel_size: any field on the grid, such as tiles, as in
            `vision.fields.make_field`.
        field_options: keyword arguments of the field's function.
        shared: use one table for all heads, which then have equal weights.
        options: see `PositionOptions`.

    Attributes:
        relative_bias: its `table` holds the scores: (num_heads or 1, K) for a field by offsets, else one
            number for each of the (2 rows - 1)(2 cols - 1) relative positions. It starts near equal weights.

    Raises:
        ValueError: the field is not on the grid, or a kernel_size is given as well.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        kernel_size: int | None = None,
        field: Field | FieldFunction | str | None = None,
        field_options: Arguments | None = None,
        shared: bool = False,
        **options: Unpack[PositionOptions],
    ) -> None:
        if field is not None and kernel_size is not None:
            raise ValueError(f"give field or kernel_size and not both, got {kernel_size=}")
        field = square_field(grid, kernel_size) if field is None else make_field(field, grid, field_options)
        super().__init__(dim, field, **options)
        tables, device, dtype = 1 if shared else self.num_heads, options.get("device"), options.get("dtype")
        self.relative_bias = RelativeBias(self.field, tables, device=device, dtype=dtype)

    def scores(self, grid: Grid | None = None) -> Tensor:
        """Return (num_heads, K) for a field by offsets, else (1, num_heads or 1, N, N)."""
        scores = self.relative_bias(grid)
        return scores if self.field.offsets is None else scores.expand(self.num_heads, -1)
