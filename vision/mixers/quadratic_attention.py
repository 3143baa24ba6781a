"""Attention to a learned position: each head has a centre relative to its query, and a width.

>>> QuadraticAttention(64, Grid(8, 8))(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from typing import Unpack

import torch
from torch import Tensor, nn

from vision.attention import PositionOptions
from vision.mixers.position_attention import PositionAttention, square_field
from vision.patches import Grid
from vision.positions import quadratic_scores

# Symbolic tracing records a call of it, because it reads the device of its arguments.
torch.fx.wrap("quadratic_scores")


class QuadraticAttention(PositionAttention):
    """(B, N, C) -> (B, N, C): the score of a key is -alpha |key - query - centre|^2, without content.

    The quadratic encoding of Cordonnier et al. (2020): a receptive field with a learned centre and width, a
    Gaussian of variance 1 / (2 alpha). For alpha -> infinity, a head with an integer centre becomes a shift
    by it, with the nearest key at the border. Then 9 heads are a 3 x 3 convolution with replicate padding.
    For alpha -> 0 a head becomes the mean.

    Args:
        dim: width C of a token.
        grid: grid of the tokens.
        kernel_size: odd number of tokens across the visible neighbourhood; None is the whole grid.
        alpha: initial value for every head, for distances in tokens.
        spread: standard deviation of the initial centres, as in the authors' code.
        options: see `PositionOptions`.

    Attributes:
        alpha: (num_heads,), a parameter. Its absolute value counts, so that no step makes it invalid.
        centres: (num_heads, 2), a parameter: row and column of each head's centre relative to its query.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        kernel_size: int | None = None,
        alpha: float = 1.0,
        spread: float = 2.0,
        **options: Unpack[PositionOptions],
    ) -> None:
        if spread < 0:
            raise ValueError(f"spread must be at least 0, got {spread}")
        super().__init__(dim, square_field(grid, kernel_size), **options)
        num_heads, device, dtype = self.num_heads, options.get("device"), options.get("dtype")
        self.alpha = nn.Parameter(torch.full((num_heads,), float(alpha), device=device, dtype=dtype))
        self.centres = nn.Parameter(torch.empty(num_heads, 2, device=device, dtype=dtype))
        nn.init.normal_(self.centres, std=spread)

    def scores(self, grid: Grid | None = None) -> Tensor:
        """Return (num_heads, K), or (1, num_heads, N, N) for the whole grid."""
        return quadratic_scores(self.field.on(grid), self.alpha, self.centres)
