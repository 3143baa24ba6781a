"""Attention without content: a learned number for each relative place, through a softmax."""

import torch
from torch import Tensor

from vision.fields import Field
from vision.mixers.position_attention import PositionAttention, square_field
from vision.patches import Grid
from vision.positions import RelativeBias


class StaticAttention(PositionAttention):
    """(B, N, C) -> (B, N, C): each head averages its values with weights that depend on key - query alone.

    Synthesizer's random form (Tay et al., 2021), tied over equal relative places: self-attention with a
    relative bias and nothing else in its logits. With a kernel_size it is a depthwise convolution between
    two linear maps, but for the softmax: its kernel, one per head, is positive, sums to 1, and at the border
    to 1 over what is left of it (Han et al., 2022, compare the two with local attention).

    Args:
        dim: width C of a token.
        grid: where the tokens sit.
        kernel_size: odd number of tokens across the neighbourhood; None is the whole grid.
        field: who attends to whom instead, as tiles or a graph: any whose queries and keys are the grid.
        shared: one table for all heads, which then are as one.
        num_heads: heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        v_bias: give the values a bias.
        backend: that of `vision.attention.attend`.

    Attributes:
        relative_bias: its `table` holds the scores, (num_heads or 1, K) or, for the whole grid and fields not
            by offsets, a number for each of the (2 rows - 1)(2 cols - 1) relative places; it starts near
            equal weights.

    Raises:
        ValueError: the field is not one of the grid, or a kernel_size is given beside it.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        kernel_size: int | None = None,
        field: Field | None = None,
        shared: bool = False,
        num_heads: int = 4,
        head_dim: int | None = None,
        v_bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if field is None:
            field = square_field(grid, kernel_size)
        elif kernel_size is not None or (field.queries, field.keys) != (grid, grid):
            raise ValueError(
                f"field must be one of {grid} and stands instead of a kernel_size, got queries on "
                f"{field.queries}, keys on {field.keys}, {kernel_size=}"
            )
        super().__init__(
            dim,
            field,
            num_heads=num_heads,
            head_dim=head_dim,
            v_bias=v_bias,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        tables = 1 if shared else num_heads
        self.relative_bias = RelativeBias(self.field, tables, device=device, dtype=dtype)

    def scores(self) -> Tensor:
        """() -> (num_heads, K) for a field by offsets, else (1, num_heads or 1, N, N)."""
        scores = self.relative_bias()
        return scores if self.field.offsets is None else scores.expand(self.num_heads, -1)
