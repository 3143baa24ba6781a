"""Attention that starts as a convolution and may learn to attend: position and content, blended by a gate."""

from math import isqrt

import torch
from torch import Tensor, nn

from vision.attention import MultiHeadAttention, attend
from vision.fields import Field
from vision.mixers.position_attention import by_position, position_map, square_field
from vision.patches import Grid
from vision.positions import quadratic_scores

# Symbolic tracing records a call of it here, too.
torch.fx.wrap("quadratic_scores")


class GatedAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): weights g * softmax(position) + (1 - g) * softmax(content), g per head.

    The gated positional self-attention of ConViT (d'Ascoli et al., 2021). A head's position scores are
    -alpha |key - query - centre|^2, the centres start on a sqrt(num_heads) x sqrt(num_heads) kernel. With a
    gate g of 1 and a large alpha that is the convolution of that kernel, weights proj_h v_h in place h, with
    replicate padding. ConViT's layers start halfway there: alpha 1 leaves a head 0.32 of its weight on its
    place, the gate sigmoid(1) = 0.73. An even kernel begins half its side before the query, on whole
    places, where ConViT lets each head sit between four tokens.

    Args:
        dim: width C of a token.
        grid: where the tokens sit.
        kernel_size: odd number of tokens across the neighbourhood that can be seen; None is the whole grid.
        alpha: locality strength that every head starts with, distances in places of the grid.
        gate: what every gate starts with, before its sigmoid: the more, the nearer to position alone.
        num_heads: heads, a square number; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        qkv_bias: give q, k and v a bias.
        backend: that of `vision.attention.attend`.

    Attributes:
        alpha: (num_heads,), a parameter of which the absolute value counts, so that no step makes it invalid.
        centres: (num_heads, 2), row and column of each head's centre relative to its query, a parameter.
        gate: (num_heads,), a parameter.

    Raises:
        ValueError: num_heads is no square number.
    """

    field: Field

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        kernel_size: int | None = None,
        alpha: float = 1.0,
        gate: float = 1.0,
        num_heads: int = 4,
        head_dim: int | None = None,
        qkv_bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if num_heads < 1 or isqrt(num_heads) ** 2 != num_heads:
            raise ValueError(
                "num_heads must be a square, so that the heads fill a kernel: 1, 4, 9, 16 or more; "
                f"got {num_heads=}"
            )
        super().__init__(
            dim,
            num_heads,
            head_dim=head_dim,
            field=square_field(grid, kernel_size),
            qkv_bias=qkv_bias,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.alpha = nn.Parameter(torch.full((num_heads,), float(alpha), device=device, dtype=dtype))
        self.gate = nn.Parameter(torch.full((num_heads,), float(gate), device=device, dtype=dtype))
        self.centres = nn.Parameter(torch.empty(num_heads, 2, device=device, dtype=dtype))
        with torch.no_grad():
            self.centres.copy_(_kernel_places(isqrt(num_heads)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        q, k, v = self._qkv(x)
        content = attend(q, k, v, self.field, backend=self.backend)
        x = self._blend(content, by_position(v, self.scores(), self.field, self.backend))
        return self.proj(x.transpose(1, 2).flatten(2))

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): the blend of `content_map` and `position_map` that is used."""
        return self._blend(self.content_map(x), self.position_map(x))

    def content_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): the weights from queries and keys."""
        q, k, v = self._qkv(x)
        return attend(q, k, v, self.field, need_weights=True)[1]

    def position_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): the weights from places, the same for every image."""
        return position_map(x, self.scores(), self.field, self.num_heads)

    def scores(self) -> Tensor:
        """() -> the position scores: (num_heads, K), or (1, num_heads, N, N) for the whole grid."""
        return quadratic_scores(self.field, self.alpha, self.centres)

    def _blend(self, content: Tensor, position: Tensor) -> Tensor:
        gate = self.gate.sigmoid()[:, None, None].to(content.dtype)
        return (1 - gate) * content + gate * position


def _kernel_places(side: int) -> Tensor:
    """() -> (side^2, 2): row and column of each place of a kernel around its middle, row by row."""
    return Grid(side, side).coordinates() - side // 2
