"""Attention in a window along the sequence."""

import torch
from mixer_checks import DIM, GRID, WIDE, make, tokens

from vision.attention import MultiHeadAttention
from vision.fields import Field, full
from vision.mixers.truncated_attention import TruncatedAttention
from vision.patches import Grid


def test_truncated_attention_is_local_attention_on_a_line():
    line = Grid(1, 42)
    one, other = make(TruncatedAttention, window=5), make(TruncatedAttention, line, window=5)
    other.load_state_dict(one.state_dict())
    masked = MultiHeadAttention(DIM, 4, field=full(GRID), **WIDE)
    masked.load_state_dict(one.state_dict())
    near = (torch.arange(42)[None] - torch.arange(42)[:, None]).abs() <= 2
    masked.field = Field(GRID, GRID, allowed=near)
    x = tokens()
    torch.testing.assert_close(one(x), masked(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(one(x), other(x), rtol=0, atol=1e-12)
