"""The token mixer of ViT: every token attends to every other."""

import torch

from vision.attention import MultiHeadAttention
from vision.fields import full
from vision.patches import Grid


class SelfAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head self-attention over the whole grid (Dosovitskiy et al., 2021).

    Args:
        dim: width C of a token.
        grid: where the tokens sit.
        num_heads: heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        relative_bias: learn a number per head and relative place, added to the logits.
        quadratic_bias: learn a centre and a width per head, likewise (Cordonnier et al., 2020).
        rotary: turn queries and keys by their places, rows and columns apart (Heo et al., 2024).
        qkv_bias: give q, k and v a bias.
        backend: that of `vision.attention.attend`.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        num_heads: int = 4,
        head_dim: int | None = None,
        relative_bias: bool = False,
        quadratic_bias: bool = False,
        rotary: bool = False,
        qkv_bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            dim,
            num_heads,
            head_dim=head_dim,
            field=full(grid),
            relative_bias=relative_bias,
            quadratic_bias=quadratic_bias,
            rotary=rotary,
            qkv_bias=qkv_bias,
            backend=backend,
            device=device,
            dtype=dtype,
        )
