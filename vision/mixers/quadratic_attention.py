"""Attention to a learned place: each head looks at a spot beside its query, as wide as it likes.

>>> QuadraticAttention(64, Grid(8, 8))(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

import torch
from torch import Tensor, nn

from vision.mixers.position_attention import PositionAttention, square_field
from vision.patches import Grid
from vision.positions import quadratic_scores

# Symbolic tracing records a call of it, as it reads the device of its arguments.
torch.fx.wrap("quadratic_scores")


class QuadraticAttention(PositionAttention):
    """(B, N, C) -> (B, N, C): head h weighs a key by -alpha |key - query - centre|^2, and by no content.

    The quadratic encoding of Cordonnier et al. (2020): a receptive field that learns where it lies and how
    wide it is, a Gaussian of variance 1 / (2 alpha). For alpha -> infinity a head with a whole centre
    becomes the shift by it, with the nearest key where there is none, and 9 of them a 3 x 3 convolution with
    replicate padding; for alpha -> 0 it becomes the mean.

    Args:
        dim: width C of a token.
        grid: where the tokens sit.
        kernel_size: odd number of tokens across the neighbourhood that can be seen; None is the whole grid.
        alpha: what every head starts with, distances in places of the grid.
        spread: standard deviation of the centres at the start, as in the authors' code.
        num_heads: heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        v_bias: give the values a bias.
        backend: that of `vision.attention.attend`.

    Attributes:
        alpha: (num_heads,), a parameter of which the absolute value counts, so that no step makes it invalid.
        centres: (num_heads, 2), row and column of each head's centre relative to its query, a parameter.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        kernel_size: int | None = None,
        alpha: float = 1.0,
        spread: float = 2.0,
        num_heads: int = 4,
        head_dim: int | None = None,
        v_bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            dim,
            square_field(grid, kernel_size),
            num_heads=num_heads,
            head_dim=head_dim,
            v_bias=v_bias,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.alpha = nn.Parameter(torch.full((num_heads,), float(alpha), device=device, dtype=dtype))
        self.centres = nn.Parameter(torch.empty(num_heads, 2, device=device, dtype=dtype))
        nn.init.normal_(self.centres, std=spread)

    def scores(self) -> Tensor:
        """() -> (num_heads, K), or (1, num_heads, N, N) for the whole grid."""
        return quadratic_scores(self.field, self.alpha, self.centres)
