"""The token mixer of ViT: every token attends to every other, or to those of a given field.

>>> import torch
>>> SelfAttention(64, Grid(8, 8), num_heads=2, rotary=True)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from typing import Unpack

from vision.attention import AttentionOptions, MultiHeadAttention
from vision.dynamic import Arguments
from vision.fields import Field, FieldFunction, full, make_field
from vision.patches import Grid


class SelfAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head self-attention over the whole grid (Dosovitskiy et al., 2021).

    Args:
        dim: width C of a token.
        grid: grid of the tokens.
        field: who attends to whom, instead of everyone to everyone: as in `vision.fields.make_field`.
        field_options: keyword arguments of the field's function.
        options: see `AttentionOptions`.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        field: Field | FieldFunction | str | None = None,
        field_options: Arguments | None = None,
        **options: Unpack[AttentionOptions],
    ) -> None:
        super().__init__(dim, field=make_field(field or full, grid, field_options), **options)
