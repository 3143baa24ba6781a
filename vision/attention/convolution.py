"""What makes attention a convolution: constant queries and keys, and one output map per head.

>>> import torch
>>> constant_queries_keys(torch.randn(2, 9, 64, 16), tokens=64).shape
torch.Size([2, 9, 64, 1])
"""

import torch
from torch import Tensor


def constant_queries_keys(values: Tensor, tokens: int) -> Tensor:
    """v (B, H, N, V) -> (B, H, tokens, 1): zeros as constant queries or keys, without memory."""
    return values.new_zeros(1, 1, 1, 1).expand(values.shape[0], values.shape[1], tokens, 1)


def merge_heads(heads: Tensor, weight: Tensor, groups: int, *, transposed: bool = False) -> Tensor:
    """(B, K, N_query, C) -> (B, N_query, O): apply each kernel position's output map and sum.

    Args:
        heads: output of each kernel position's head: tokens of the full width.
        weight: (O, C / groups, *kernel_size) of K positions, or, transposed, (C, O / groups, *kernel_size).
        groups: blocks of channels that do not mix.
        transposed: the weight belongs to a transposed convolution.
    """
    x = torch.unflatten(heads, -1, (groups, -1))
    maps = torch.unflatten(weight.flatten(2), 0, (groups, -1))  # (G, O or C, C or O, K)
    return torch.einsum(f"bkngi,{'giok' if transposed else 'goik'}->bngo", x, maps).flatten(2)
