"""What attention needs to be a convolution: constant queries and keys, and one output map for each head.

>>> constant_queries_keys(torch.randn(2, 9, 64, 16), tokens=64).shape
torch.Size([2, 9, 64, 1])
"""

import torch
from torch import Tensor


def constant_queries_keys(values: Tensor, tokens: int) -> Tensor:
    """v (B, H, N, V) -> (B, H, tokens, 1) of zeros: constant queries or keys, without memory."""
    return values.new_zeros(1, 1, 1, 1).expand(values.shape[0], values.shape[1], tokens, 1)


def merge_heads(heads: Tensor, weight: Tensor, groups: int, *, transposed: bool = False) -> Tensor:
    """(B, K, N_query, C) -> (B, N_query, O): the output map of each kernel position, and their sum.

    Args:
        heads: what each position's head gives: tokens of the full width.
        weight: (O, C / groups, *kernel_size) of K positions, or, transposed, (C, O / groups, *kernel_size).
        groups: blocks of channels that do not mix.
        transposed: the weight is a transposed convolution's.
    """
    x = heads.unflatten(-1, (groups, -1))
    maps = weight.flatten(2).unflatten(0, (groups, -1))  # (G, O or C, C or O, K)
    return torch.einsum(f"bkngi,{'giok' if transposed else 'goik'}->bngo", x, maps).flatten(2)
