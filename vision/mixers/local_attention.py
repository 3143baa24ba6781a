"""Self-attention with a convolution's field: every token attends to the k x k tokens around it."""

import torch

from vision.attention import MultiHeadAttention
from vision.fields import neighbourhood
from vision.patches import Grid


class LocalAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head attention inside a clipped neighbourhood.

    As stand-alone self-attention (Ramachandran et al., 2019), but clipped at the border as a zero-padded
    convolution is, where NATTEN (Hassani et al., 2023) shifts the window inwards.

    Args:
        dim: width C of a token.
        grid: where the tokens sit.
        kernel_size: odd number of tokens across the neighbourhood.
        dilation: step between the tokens of the neighbourhood.
        causal: leave out the tokens after the query in index order, row by row.
        num_heads: heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        relative_bias: learn a number per head and offset, added to the logits.
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
        kernel_size: int = 3,
        dilation: int = 1,
        causal: bool = False,
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
            field=neighbourhood(grid, kernel_size, dilation=dilation, causal=causal),
            relative_bias=relative_bias,
            quadratic_bias=quadratic_bias,
            rotary=rotary,
            qkv_bias=qkv_bias,
            backend=backend,
            device=device,
            dtype=dtype,
        )
