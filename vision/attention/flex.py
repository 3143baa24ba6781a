"""Attention through FlexAttention: a fused GPU kernel that skips the blocks that a field leaves empty.

>>> from vision.fields import neighbourhood
>>> from vision.patches import Grid
>>> q = torch.randn(1, 4, 64 * 64, 16, device="cuda")  # doctest: +SKIP
>>> out = attention(q, q, q, neighbourhood(Grid(64, 64), kernel_size=7))  # doctest: +SKIP
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor

from vision.fields import Field
from vision.tracing import cached

# A field of few keys leaves out more of small blocks. On an H200 a 3 x 3 field on 32 x 32 tokens took 0.38 ms
# with blocks of 64. It took 0.57 ms with FlexAttention's own of 128.
BLOCK, SMALL_BLOCK = 128, 64
_SMALL = {f"BLOCK_{name}": SMALL_BLOCK for name in ("M", "N", "M1", "N1", "M2", "N2")}
ScoreMod = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def attention(q: Tensor, k: Tensor, v: Tensor, field: Field, bias: Tensor | None = None) -> Tensor:
    """q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V) -> (B, H, N_query, V).

    FlexAttention (Dong et al., 2024, arXiv 2412.05496). The output of a query without any key is 0.

    Args:
        field: any field; its block mask is cached per device.
        bias: (H, K) per head and offset, or broadcastable to (B, H, N_query, N_key).
    """
    score_mod = _score_mod(q, k, field, bias)
    if field.is_full:
        return _flex_attention()(q, k, v, score_mod=score_mod)
    small = q.dtype in (torch.bfloat16, torch.float16) and max(q.shape[3], v.shape[3]) <= 64
    block_mask = _block_mask(field, q.device, SMALL_BLOCK if small else BLOCK)
    options = _SMALL if small else None
    return _flex_attention()(q, k, v, score_mod=score_mod, block_mask=block_mask, kernel_options=options)


@cached(maxsize=256)
def _build_block_mask(field: Field, device: torch.device, block: int) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask  # 1.7 s to import

    allowed = field.mask(device)

    def is_allowed(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return allowed[query, key]

    sizes = (None, None, field.queries.size, field.keys.size)
    return create_block_mask(is_allowed, *sizes, device, BLOCK_SIZE=block)


# Dynamo cannot trace how a block mask is built: a compiled model has a graph before and one after it.
_block_mask: Callable[[Field, torch.device, int], Any] = cast(Any, torch.compiler).disable(_build_block_mask)


def _score_mod(q: Tensor, k: Tensor, field: Field, bias: Tensor | None) -> ScoreMod | None:
    """Return the bias as a function of the score and the indices that FlexAttention passes."""
    if bias is None:
        return None
    if bias.ndim == 2:
        slots, table = field.slots(q.device), torch.nn.functional.pad(bias, (0, 1))

        def add_per_offset(score: Tensor, b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return score + table[h, slots[query, key]]

        return add_per_offset
    # An index must be in range along every dimension, so a dimension that broadcasts is read at 0.
    broadcasts = [size == 1 for size in bias.shape]

    def add(score: Tensor, b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        indices = zip((b, h, query, key), broadcasts, strict=True)
        return score + bias[tuple(index * 0 if broadcast else index for index, broadcast in indices)]

    return add


def _flex_attention() -> Any:
    """Return FlexAttention, compiled: else it would build every score. A compiled model compiles it."""
    from torch.nn.attention.flex_attention import flex_attention

    return flex_attention if torch.compiler.is_compiling() else _compiled()


@lru_cache(maxsize=1)
def _compiled() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention)
