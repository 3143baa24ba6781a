"""Self-attention over a window of the token sequence, whatever its rows: cost linear in its length.

>>> import torch
>>> TruncatedAttention(64, Grid(8, 8), window=5, causal=True)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from typing import Unpack

from torch import Tensor

from vision.attention import ContentOptions, MultiHeadAttention, attend, check_options
from vision.fields import truncated
from vision.patches import Grid, given_grid


class TruncatedAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head attention to the nearest tokens in index order.

    Truncated self-attention (Yeh et al., 2019, arXiv 1910.12977, for speech). With dilation it is the sliding
    window of Longformer (Beltagy et al., 2020). On a grid of several rows, a window runs on from the end of a
    row to the next.

    Args:
        dim: width C of a token.
        grid: grid of the tokens; only their order counts.
        window: odd number of tokens across, centred on the query.
        dilation: step between the tokens of the window.
        causal: leave out the tokens after the query.
        relative_bias: learn a number per head and step along the sequence, added to the logits.
        options: see `ContentOptions`.

    Attributes:
        field: who attends to whom on the grid; by indices if the grid has several rows.
        sequence: the same field on Grid(1, N), by offsets. Attention runs on it, because backends are faster.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        window: int = 9,
        dilation: int = 1,
        causal: bool = False,
        relative_bias: bool = False,
        **options: Unpack[ContentOptions],
    ) -> None:
        check_options(options, ContentOptions)
        sequence = truncated(grid.size, window, dilation=dilation, causal=causal)
        super().__init__(dim, field=sequence, relative_bias=relative_bias, **options)
        self.sequence = sequence
        self.field = truncated(grid, window, dilation=dilation, causal=causal)

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        line = Grid(1, other.size) if (other := given_grid(grid)) else None
        sequence = self.sequence.on(line)
        q, k, v = self._qkv(x, line)
        x = attend(q, k, v, sequence, self._bias(line), backend=self.backend)
        return self.proj(x.transpose(1, 2).flatten(2))
