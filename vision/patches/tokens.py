"""Tokens, checked before a layer mixes them.

>>> import torch
>>> check_tokens(torch.zeros(2, 9, 12), 16)
Traceback (most recent call last):
ValueError: tokens must be (B, N, 16), got shape (2, 9, 12)
"""

from typing import cast

import torch
from torch import Tensor


def check_tokens(x: Tensor, dim: int, count: int | None = None) -> Tensor:
    """Return the tokens (B, N, C) as they are.

    Args:
        x: the tokens.
        dim: their width C.
        count: their number N; None is any.

    Raises:
        ValueError: they have another width or number, or are integers.
    """
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return x
    if not isinstance(cast(object, x), Tensor):
        raise ValueError(f"tokens must be a Tensor (B, N, {dim}), got {type(x).__name__}")
    # A comparison would bind a graph for any number of tokens to that of its example.
    wrong_count = count is not None and not torch.compiler.is_exporting() and x.shape[1:2] != (count,)
    if x.ndim != 3 or x.shape[2] != dim or wrong_count:
        number = "N" if count is None else count
        raise ValueError(f"tokens must be (B, {number}, {dim}), got shape {tuple(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(f"tokens must be floating-point numbers, got {x.dtype}")
    return x
