"""Attention over gathered neighbours: any field by indices or offsets, in plain torch, linear in the tokens.

>>> import torch
>>> from vision.fields import neighbourhood
>>> from vision.patches import Grid
>>> q = torch.randn(1, 4, 64, 16)
>>> attention(q, q, q, *neighbourhood(Grid(8, 8), kernel_size=3).neighbours()).shape
torch.Size([1, 4, 64, 16])
"""

import torch
from torch import Tensor


def attention(
    q: Tensor, k: Tensor, v: Tensor, index: Tensor, valid: Tensor, bias: Tensor | None = None
) -> Tensor:
    """q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V) -> (B, H, N_query, V).

    Args:
        index: long (N_query, K), the keys of each query; (H, N_query, K) if heads differ; or
            (B, H, N_query, K) if images differ, where B or H may be 1.
        valid: bool, broadcastable to the shape of index; False where a query has fewer than K keys.
        bias: (H, K), added to the logits.
    """
    near = neighbours(v, index)
    return (weights(q, k, index, valid, bias).to(v.dtype).unsqueeze(-2) @ near).squeeze(-2)


def weights(q: Tensor, k: Tensor, index: Tensor, valid: Tensor, bias: Tensor | None = None) -> Tensor:
    """q (B, H, N_query, D), k (B, H, N_key, D) -> (B, H, N_query, K): the softmax over each query's keys."""
    logits = (neighbours(k, index) @ q.unsqueeze(-1)).squeeze(-1) * q.shape[-1] ** -0.5
    if bias is not None:
        logits = logits + bias.unsqueeze(1)
    # A finite floor, then 0: a row of -inf only would make the row and its gradient NaN.
    floor = torch.finfo(logits.dtype).min
    return logits.masked_fill(~valid, floor).softmax(-1).masked_fill(~valid, 0.0)


def neighbours(x: Tensor, index: Tensor) -> Tensor:
    """(B, H, N_key, D) -> (B, H, N_query, K, D): the tokens that each query may attend to."""
    if index.ndim == 2:
        return x[:, :, index]
    if index.ndim == 4:
        images = torch.arange(x.shape[0], device=x.device)[:, None, None, None]
        return x[images, torch.arange(x.shape[1], device=x.device)[:, None, None], index]
    heads = torch.arange(len(index), device=x.device)[:, None, None]
    return x[:, heads, index]
