"""Images as tokens, and null tokens: additional keys of value 0.

>>> null_tokens(tokens_of(torch.randn(2, 3, 4, 4)), 9).shape
torch.Size([2, 25, 3])
"""

import torch
from torch import Tensor

from vision.convert.layers import geometry
from vision.convert.layers.geometry import AdaptiveWindow, Size, Window
from vision.fields import Field
from vision.patches import Grid
from vision.tracing import cached


def tokens_of(x: Tensor) -> Tensor:
    """(B, C, *size) -> (B, N, C)."""
    return x.flatten(2).transpose(1, 2)


def null_tokens(x: Tensor, count: int) -> Tensor:
    """(B, ..., N, C) -> (B, ..., N + count, C): append tokens of value 0."""
    return torch.cat((x, x.new_zeros(*x.shape[:-2], count, x.shape[-1])), dim=-2)


@cached(maxsize=geometry.CACHED, read_while_traced=True)
def with_null_tokens(window: Window | AdaptiveWindow, size: Size, lowest: int) -> Field:
    """Return the field in which column k may also lead to null token k, which follow the real tokens.

    Args:
        window: the geometry.
        size: positions on each axis of the input.
        lowest: PADDED if positions of the padding lead to null tokens; BEYOND if positions beyond the padding
            do so as well; 0 for no null tokens.
    """
    index = geometry.indices(window, size)
    inputs = geometry.grid_of(size).size
    null = inputs + torch.arange(index.shape[1]).expand_as(index)
    index = torch.where((index < 0) & (index >= lowest), null, index).clamp(min=-1)
    keys = Grid(1, inputs + index.shape[1]) if lowest < 0 else geometry.grid_of(size)
    return Field(geometry.grid_of(geometry.output_size(window, size)), keys, indices=index)
