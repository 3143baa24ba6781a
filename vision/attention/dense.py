"""Attention through torch's fused kernels, with the field as a dense bool mask: cost and memory are N^2.

>>> import torch
>>> q = torch.randn(1, 4, 64, 16)
>>> attention(q, q, q, torch.ones(64, 64, dtype=torch.bool).tril()).shape
torch.Size([1, 4, 64, 16])
"""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
    reachable: Tensor | None = None,
) -> Tensor:
    """q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V) -> (B, H, N_query, V).

    Args:
        mask: bool, broadcastable to (B, H, N_query, N_key), True = may attend.
        bias: added to the logits, same shape. If it needs a gradient, torch's fused path is not used.
        reachable: bool, broadcastable to (B, H, N_query), False for queries without any key, whose output
            is 0. None if there are none.
    """
    if reachable is not None and mask is not None:
        # Not every kernel returns 0 for an empty row: let it attend to all keys, then set its output to 0.
        mask = mask | ~reachable[..., None]
    if bias is not None:
        bias = bias.to(q.dtype)
        mask = bias if mask is None else bias.masked_fill(~mask, float("-inf"))
    out = _fused(q, k, v, mask)
    return out if reachable is None else out.masked_fill(~reachable[..., None], 0.0)


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    if not (q.is_cpu and q.dtype == torch.bfloat16):
        return scaled_dot_product_attention(q, k, v, attn_mask=mask)
    # On a CPU the fused kernel takes 2 to 8 times as long in bfloat16 as in float32 with both casts.
    mask = mask if mask is None or mask.dtype == torch.bool else mask.float()
    with torch.autocast("cpu", enabled=False):
        return scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=mask).to(q.dtype)
