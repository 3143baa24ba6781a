"""Attention written as its formula: slow, in any precision. Every other backend is tested against it.

>>> import torch
>>> q = torch.randn(1, 4, 64, 16)
>>> out, weights = attention(q, q, q)
>>> weights.shape
torch.Size([1, 4, 64, 64])
"""

import torch
from torch import Tensor


def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V) -> out (B, H, N_query, V), weights.

    softmax(q k^T / sqrt(D) + bias) v over the allowed keys (Vaswani et al., 2017). The weights
    (B, H, N_query, N_key) of a query sum to 1. Those of a query without any key are 0, and so is its output.

    Args:
        mask: bool, broadcastable to the weights, True = may attend.
        bias: added to the logits, broadcastable to the weights.
    """
    logits = torch.einsum("bhqd,bhkd->bhqk", q, k) * q.shape[-1] ** -0.5
    if bias is not None:
        logits = logits + bias
    if mask is None:
        weights = logits.softmax(-1)
    else:
        # A finite floor, then 0: a row of -inf only would make the row and its gradient NaN.
        floor = torch.finfo(logits.dtype).min
        weights = logits.masked_fill(~mask, floor).softmax(-1).masked_fill(~mask, 0.0)
    weights = weights.to(v.dtype)
    return torch.einsum("bhqk,bhkv->bhqv", weights, v), weights
