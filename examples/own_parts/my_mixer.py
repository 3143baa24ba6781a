"""A token mixer: attention inside the token's own row and column."""

from typing import Unpack

from vision import Grid, MultiHeadAttention, register_mixer
from vision.attention import AttentionOptions
from vision.fields import convolution


@register_mixer("axial")
class AxialAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): each token attends to tokens in its own row and column."""

    def __init__(self, dim: int, grid: Grid, *, reach: int = 3, **options: Unpack[AttentionOptions]) -> None:
        row = convolution(grid, (1, 2 * reach + 1), padding=(0, reach))
        column = convolution(grid, (2 * reach + 1, 1), padding=(reach, 0))
        super().__init__(dim, field=row | column, **options)
