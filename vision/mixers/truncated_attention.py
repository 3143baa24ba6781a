"""Self-attention over a window of the token sequence, which knows of no rows: cost linear in its length."""

import torch
from torch import Tensor

from vision.attention import MultiHeadAttention, attend
from vision.fields import truncated
from vision.patches import Grid


class TruncatedAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head attention to the tokens at most so far away in index order.

    Truncated self-attention (Yeh et al., 2019, arXiv 1910.12977, for speech); with dilation the sliding
    window of Longformer (Beltagy et al., 2020). On a grid of several rows a window runs on from the end of a
    row into the next.

    Args:
        dim: width C of a token.
        grid: where the tokens sit; only their order counts.
        window: odd number of tokens across, the query in the middle.
        dilation: step between the tokens of the window.
        causal: leave out the tokens after the query.
        num_heads: heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        relative_bias: learn a number per head and step along the sequence, added to the logits.
        qkv_bias: give q, k and v a bias.
        backend: that of `vision.attention.attend`.

    Attributes:
        field: who attends to whom on the grid, by indices if it has several rows.
        sequence: the same on Grid(1, N), by offsets: what attention runs on, as backends are faster there.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        window: int = 9,
        dilation: int = 1,
        causal: bool = False,
        num_heads: int = 4,
        head_dim: int | None = None,
        relative_bias: bool = False,
        qkv_bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        sequence = truncated(grid.size, window, dilation=dilation, causal=causal)
        super().__init__(
            dim,
            num_heads,
            head_dim=head_dim,
            field=sequence,
            relative_bias=relative_bias,
            qkv_bias=qkv_bias,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.sequence = sequence
        self.field = truncated(grid, window, dilation=dilation, causal=causal)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        q, k, v = self._qkv(x)
        x = attend(q, k, v, self.sequence, self._bias(), backend=self.backend)
        return self.proj(x.transpose(1, 2).flatten(2))
