"""Attention through FlexAttention: a fused GPU kernel that skips the blocks that a field leaves empty.

>>> out = attention(q, k, v, neighbourhood(Grid(64, 64), kernel_size=7))  # on a CUDA device
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from vision.fields import Field


def attention(q: Tensor, k: Tensor, v: Tensor, field: Field, bias: Tensor | None = None) -> Tensor:
    """q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V) -> (B, H, N_query, V).

    FlexAttention (Dong et al., 2024, arXiv 2412.05496): it answers 0 for a query without any key.

    Args:
        field: any field; its block mask is kept per device.
        bias: (H, K) per head and offset, or broadcastable to (B, H, N_query, N_key).
    """
    block_mask = None if field.is_full else field.block_mask(q.device)
    return _compiled()(q, k, v, score_mod=_score_mod(q, k, field, bias), block_mask=block_mask)


def _score_mod(q: Tensor, k: Tensor, field: Field, bias: Tensor | None) -> Any:
    """The bias as a function of the score and of the indices that FlexAttention hands over."""
    if bias is None:
        return None
    if bias.ndim == 2:
        slots, table = field.slots(q.device), torch.nn.functional.pad(bias, (0, 1))
        return lambda score, b, h, query, key: score + table[h, slots[query, key]]
    # A read index must be in range along every dimension, so what broadcasts is read at 0.
    one = [size == 1 for size in bias.shape]

    def add(score: Tensor, b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        place = (i * 0 if single else i for i, single in zip((b, h, query, key), one, strict=True))
        return score + bias[tuple(place)]

    return add


@lru_cache(maxsize=1)
def _compiled() -> Any:
    # Uncompiled it materializes every score; inside a compiled model it is inlined.
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention)
