"""Attention layers for models that hold images as tokens, or whose pool is a mean.

>>> GlobalAverage((7, 7), keepdim=False)(torch.ones(2, 64, 7, 7)).shape
torch.Size([2, 64])
"""

from math import prod

from torch import Tensor, nn

from vision.convert.layers.base import AttentionLayer
from vision.convert.layers.geometry import AdaptiveWindow, Size
from vision.convert.layers.pooling import AverageAttention
from vision.convert.layers.tokens import tokens_of
from vision.patches import Grid
from vision.tracing import fx_call


class OnTokens(nn.Module):
    """(B, N, C) or (B, C, *size) -> (B, N_query, C_out): an attention layer between tokens.

    Args:
        layer: the attention layer, which maps images to images.
        size: positions on each axis of the tokens that come in; None where images come in.
    """

    grid: Grid
    patch_size: int | tuple[int, int]

    def __init__(self, layer: AttentionLayer, size: Size | None) -> None:
        super().__init__()
        self.layer, self.size = layer, size

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) or (B, C, *size) -> (B, N_query, C_out)."""
        if self.size is not None:
            x = x.transpose(1, 2).reshape(x.shape[0], x.shape[2], *self.size)
        return tokens_of(self.layer(x))


class _ChannelsFirst(nn.Module):
    """(B, *size, C) -> (B, C, *size)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, *size, C) -> (B, C, *size)."""
        return x.movedim(-1, 1)


class GlobalAverage(AverageAttention):
    """(B, C, *input_size) -> (B, C): the mean over all tokens, as one query that attends to them equally.

    Args:
        input_size: positions on each axis of the input.
        keepdim: return (B, C, 1, ...) instead.
        channels_last: the input is (B, N, C) or (B, *input_size, C).
    """

    def __init__(self, input_size: Size, *, keepdim: bool, channels_last: bool = False) -> None:
        ones = (1,) * len(input_size)
        pool = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}[len(ones)](1)
        super().__init__(pool, AdaptiveWindow(ones), input_size)
        self.keepdim, self.channels_last = keepdim, channels_last

    def forward(self, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, C, *input_size) or (B, *input_size, C) -> (B, C)."""
        if (recorded := fx_call(self, x)) is not None:
            return recorded
        x = super().forward(x.movedim(-1, 1) if self.channels_last else x)
        return x if self.keepdim else x.flatten(1)

    def to_conv(self) -> nn.Module:
        """Return torch's pool, with modules that move the channels before it and drop axes after it."""
        before = [_ChannelsFirst()] if self.channels_last else []
        return nn.Sequential(*before, self._pool[0], *([] if self.keepdim else [nn.Flatten(1)]))

    def fast(self, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, C, *input_size) -> (B, C, 1, ...): the mean."""
        return x.mean(tuple(range(2, x.ndim)), keepdim=True)

    def extra_repr(self) -> str:
        """Return the text that nn.Module prints for this module."""
        return f"tokens={prod(self.input_size)}"
