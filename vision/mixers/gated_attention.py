"""Attention that starts as a convolution and can learn to attend: position and content, blended by a gate.

>>> GatedAttention(64, Grid(8, 8), num_heads=4)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from math import isqrt
from typing import Unpack

import torch
from torch import Tensor, nn

from vision.attention import ContentOptions, MultiHeadAttention, attend, check_options
from vision.fields import Field
from vision.mixers.position_attention import attend_by_position, position_map, square_field
from vision.patches import Grid
from vision.positions import quadratic_scores

# Symbolic tracing records a call of it here as well.
torch.fx.wrap("quadratic_scores")


class GatedAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): weights g * softmax(position) + (1 - g) * softmax(content), g per head.

    The gated positional self-attention of ConViT (d'Ascoli et al., 2021). A head's position scores are
    -alpha |key - query - centre|^2. The centres start on a sqrt(num_heads) x sqrt(num_heads) kernel. With a
    gate g of 1 and a large alpha this is the convolution of that kernel with replicate padding; its weight at
    the position of head h is proj_h v_h. ConViT's layers start between the two: alpha = 1 gives a head 0.32
    of its weight at its centre, and the gate is sigmoid(1) = 0.73. An even kernel starts half its side before
    the query, on whole tokens. ConViT centres such heads between four tokens.

    Args:
        dim: width C of a token.
        grid: grid of the tokens.
        kernel_size: odd number of tokens across the visible neighbourhood; None is the whole grid.
        alpha: initial locality strength of every head, for distances in tokens.
        gate: initial gate of every head, before its sigmoid; the larger, the more position counts.
        options: see `ContentOptions`; num_heads must be a square number.

    Attributes:
        alpha: (num_heads,), a parameter. Its absolute value counts, so that no step makes it invalid.
        centres: (num_heads, 2), a parameter: row and column of each head's centre relative to its query.
        gate: (num_heads,), a parameter.

    Raises:
        ValueError: num_heads is not a square number.
    """

    field: Field  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        kernel_size: int | None = None,
        alpha: float = 1.0,
        gate: float = 1.0,
        **options: Unpack[ContentOptions],
    ) -> None:
        check_options(options, ContentOptions)
        super().__init__(dim, field=square_field(grid, kernel_size), **options)
        num_heads, device, dtype = self.num_heads, options.get("device"), options.get("dtype")
        if isqrt(num_heads) ** 2 != num_heads:
            raise ValueError(
                "num_heads must be a square, so that the heads fill a kernel: 1, 4, 9, 16 or more; "
                f"got {num_heads=}"
            )
        self.alpha = nn.Parameter(torch.full((num_heads,), float(alpha), device=device, dtype=dtype))
        self.gate = nn.Parameter(torch.full((num_heads,), float(gate), device=device, dtype=dtype))
        self.centres = nn.Parameter(torch.empty(num_heads, 2, device=device, dtype=dtype))
        with torch.no_grad():
            self.centres.copy_(_kernel_positions(isqrt(num_heads)))

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        q, k, v = self._qkv(x, grid)
        field = self.field.on(grid)
        content = attend(q, k, v, field, backend=self.backend)
        x = self._blend(content, attend_by_position(v, self.scores(grid), field, self.backend))
        return self.proj(x.transpose(1, 2).flatten(2))

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): the blend of `content_map` and `position_map`."""
        return self._blend(self.content_map(x), self.position_map(x))

    def content_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): the weights from queries and keys."""
        q, k, v = self._qkv(x)
        return attend(q, k, v, self.field, need_weights=True)[1]

    def position_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): the weights by position, the same for every image."""
        return position_map(x, self.scores(), self.field, self.num_heads)

    def scores(self, grid: Grid | None = None) -> Tensor:
        """Return the position scores: (num_heads, K), or (1, num_heads, N, N) for the whole grid."""
        return quadratic_scores(self.field.on(grid), self.alpha, self.centres)

    def _blend(self, content: Tensor, position: Tensor) -> Tensor:
        gate = self.gate.sigmoid()[:, None, None].to(content.dtype)
        return (1 - gate) * content + gate * position


def _kernel_positions(side: int) -> Tensor:
    """Return (side^2, 2): row and column of each kernel position relative to the middle, row by row."""
    return Grid(side, side).coordinates() - side // 2
