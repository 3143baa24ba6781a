"""The token mixer of ViT: every token attends to every other.

>>> import torch
>>> SelfAttention(64, Grid(8, 8), num_heads=2, rotary=True)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from typing import Unpack

from vision.attention import AttentionOptions, MultiHeadAttention
from vision.fields import full
from vision.patches import Grid


class SelfAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head self-attention over the whole grid (Dosovitskiy et al., 2021).

    Args:
        dim: width C of a token.
        grid: grid of the tokens.
        options: see `AttentionOptions`.
    """

    def __init__(self, dim: int, grid: Grid, **options: Unpack[AttentionOptions]) -> None:
        super().__init__(dim, field=full(grid), **options)
