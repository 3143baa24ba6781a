"""Self-attention with a convolution's field: every token attends to the k x k tokens around it.

>>> import torch
>>> LocalAttention(64, Grid(8, 8), kernel_size=5)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from typing import Unpack

from vision.attention import AttentionOptions, MultiHeadAttention
from vision.fields import neighbourhood
from vision.patches import Grid


class LocalAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head attention inside a clipped neighbourhood.

    Like stand-alone self-attention (Ramachandran et al., 2019), but clipped at the border as a zero-padded
    convolution is. NATTEN (Hassani et al., 2023) shifts the window inwards instead.

    Args:
        dim: width C of a token.
        grid: grid of the tokens.
        kernel_size: odd number of tokens across the neighbourhood.
        dilation: step between the tokens of the neighbourhood.
        causal: leave out the tokens after the query in index order, row by row.
        options: see `AttentionOptions`; a relative bias has one number per head and offset.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        kernel_size: int = 3,
        dilation: int = 1,
        causal: bool = False,
        **options: Unpack[AttentionOptions],
    ) -> None:
        field = neighbourhood(grid, kernel_size, dilation=dilation, causal=causal)
        super().__init__(dim, field=field, **options)
