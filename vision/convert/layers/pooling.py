"""Pools as masked attention: equal weights for the average, hard or soft attention for the maximum.

>>> int(AverageAttention(nn.AdaptiveAvgPool2d(1), AdaptiveWindow((1, 1)), (7, 7)).field.mask().sum())
49
"""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision.attention import gather
from vision.attention.convolution import constant_queries_keys
from vision.convert.layers.base import AttentionLayer
from vision.convert.layers.geometry import BEYOND, PADDED, AdaptiveWindow, Size, Window, whole_field
from vision.convert.layers.padding import Padding, pad
from vision.convert.layers.tokens import null_tokens, tokens_of, with_null_tokens
from vision.fields import Field

_AVERAGES = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}
_MAXIMA = {1: nn.AdaptiveMaxPool1d, 2: nn.AdaptiveMaxPool2d, 3: nn.AdaptiveMaxPool3d}


class PoolingAttention(AttentionLayer):
    """(B, C, *input_size) -> (B, C, *output_size): what the two kinds of pool share.

    Args:
        pool: torch's module, with the numbers of `window`.
        window: the geometry.
        input_size: positions on each axis of the input.
    """

    padding_value = 0.0

    def __init__(self, pool: nn.Module, window: Window | AdaptiveWindow, input_size: Size) -> None:
        super().__init__(window, input_size)
        self._pool = (pool,)  # in a tuple, so that it is not a submodule: only attention is

    def to_conv(self) -> nn.Module:
        """Return torch's pool, after the padding that TensorFlow's "same" adds."""
        pads, pool = self._pads(self.input_size), self._pool[0]
        return nn.Sequential(Padding(pads, value=self.padding_value), pool) if pads else pool

    def fast(self, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, C, *input_size) -> (B, C, *output_size): torch's pool."""
        pads = self._pads(tuple(x.shape[2:]))
        return self._pool[0](pad(x, pads, value=self.padding_value) if pads else x)

    @property
    def covers_all(self) -> bool:
        """Whether there is one query, which reads every token and no padding."""
        return set(self.output_size) == {1} and self.field.columns == self.field.keys.size

    @abstractmethod
    def for_any_size(self) -> "PoolingAttention":
        """Return the same pool over all tokens of an input of any size."""

    def fields_for(self, size: Size) -> Field:
        """Return the keys of each query."""
        return whole_field(self.window, size)

    def _pads(self, size: Size) -> Sequence[tuple[int, int]]:
        return self.window.pads(size) if isinstance(self.window, Window) and self.window.same else ()


class AverageAttention(PoolingAttention):
    """(B, C, *input_size) -> (B, C, *output_size): one head with equal weights on the keys of each window.

    All scores are equal, so the softmax divides by the number of keys. With count_include_pad, each position
    of the padding is a null token of value 0. Beyond the padding (ceil_mode) there are no keys.

    Args:
        pool: an average pool of torch's, sliding or adaptive.
        window: its geometry.
        input_size: positions on each axis of the input.
        include_padding: count the positions of the padding in the mean.
        divisor: divide the sum by this number instead of the number of keys.
    """

    kind = "average pool"

    def __init__(
        self,
        pool: nn.Module,
        window: Window | AdaptiveWindow,
        input_size: Size,
        *,
        include_padding: bool = False,
        divisor: int | None = None,
    ) -> None:
        super().__init__(pool, window, input_size)
        self.include_padding, self.divisor = include_padding, divisor

    @property
    def num_heads(self) -> int:
        """One."""
        return 1

    def for_any_size(self) -> "AverageAttention":
        """Return the mean over all tokens of an input of any size."""
        ones = (1,) * len(self.input_size)
        return AverageAttention(_AVERAGES[len(ones)](1), AdaptiveWindow(ones), self.input_size)

    def fields_for(self, size: Size) -> Field:
        """Return the keys and null tokens of each query."""
        if self.divisor is not None:
            return with_null_tokens(self.window, size, BEYOND)
        return with_null_tokens(self.window, size, PADDED if self.include_padding else 0)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, *input_size) -> zeros q (B, 1, N_query, 1), k (B, 1, N_key, 1); v (B, 1, N_key, C)."""
        field = self.fields_for(tuple(x.shape[2:]))
        values = tokens_of(x)
        values = null_tokens(values, field.keys.size - values.shape[1]).unsqueeze(1)
        return (
            constant_queries_keys(values, field.queries.size),
            constant_queries_keys(values, field.keys.size),
            values,
        )

    def merge_heads(self, heads: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, 1, N_query, C) -> (B, N_query, C)."""
        if self.divisor is None or not isinstance(self.window, Window):
            return heads.squeeze(1)
        return heads.squeeze(1) * (self.window.count / self.divisor)


class MaximumAttention(PoolingAttention):
    """(B, C, *input_size) -> (B, C, *output_size): one head per channel, scored by the channel's values.

    Hard attention puts all weight on the largest value, which gives the maximum exactly. Soft attention
    multiplies the scores by beta. Then 0 <= maximum - output <= ln(K) / beta for a window of K positions.

    Args:
        pool: a maximum pool of torch's, sliding or adaptive.
        window: its geometry.
        input_size: positions on each axis of the input.
        channels: channels of the input, one head each.
        beta: inverse temperature of soft attention; None for hard attention.
    """

    kind = "max pool"
    padding_value = float("-inf")

    def __init__(
        self,
        pool: nn.Module,
        window: Window | AdaptiveWindow,
        input_size: Size,
        *,
        channels: int,
        beta: float | None = None,
    ) -> None:
        super().__init__(pool, window, input_size)
        self.channels, self.beta = channels, beta

    @property
    def num_heads(self) -> int:
        """One per channel."""
        return self.channels

    def for_any_size(self) -> "MaximumAttention":
        """Return the maximum over all tokens of an input of any size."""
        ones = (1,) * len(self.input_size)
        pool, window = _MAXIMA[len(ones)](1), AdaptiveWindow(ones)
        return MaximumAttention(pool, window, self.input_size, channels=self.channels, beta=self.beta)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, *input_size) -> q (B, C, N_query, 1), filled with beta; k, v (B, C, N, 1): the channels."""
        channels = x.flatten(2).unsqueeze(-1)
        field = self.fields_for(tuple(x.shape[2:]))
        q = channels.new_full((*channels.shape[:2], field.queries.size, 1), self.beta or 1.0)
        return q, channels, channels

    def fast(self, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, C, *input_size) -> (B, C, *output_size): torch's pool. Soft attention has no faster form."""
        if self.beta is None:
            return super().fast(x)
        size = tuple(x.shape[2:])
        return self.to_images(self.merge_heads(self.attend(*self.qkv(x), size=size)), size)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, size: Size | None = None) -> Tensor:
        """q, k, v as returned by `qkv` -> (B, C, N_query, 1)."""
        if self.beta is not None:
            return super().attend(q, k, v, size=size)
        index, valid = self.fields_for(size or self.input_size).neighbours(v.device)
        # Selected rather than multiplied by weights, because 0 times an infinite value is not 0.
        chosen = _largest(k, index, valid).unsqueeze(-1)
        return gather.neighbours(v, index).squeeze(-1).gather(-1, chosen)

    def neighbour_weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, *input_size) -> weights (B, C, N_query, K), index (C, N_query, K); -1 for no token."""
        weights, index = super().neighbour_weights(x)
        if self.beta is None:
            largest = _largest(self.qkv(x)[1], index[0].clamp(min=0), index[0] >= 0)
            weights = F.one_hot(largest, weights.shape[-1]).to(weights.dtype)
        return weights, index

    def merge_heads(self, heads: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, C, N_query, 1) -> (B, N_query, C)."""
        return heads.squeeze(-1).transpose(1, 2)


def _largest(k: Tensor, index: Tensor, valid: Tensor) -> Tensor:
    """k (B, H, N_key, 1) -> long (B, H, N_query): the column of the first of each query's largest keys."""
    scores = gather.neighbours(k, index).squeeze(-1).detach()
    best = scores.masked_fill(~valid, float("-inf")).argmax(-1)
    # If all keys are -inf, that may be a column without a key. The first one with a key is as good.
    is_key = valid.expand_as(scores).gather(-1, best.unsqueeze(-1)).squeeze(-1)
    return torch.where(is_key, best, valid.int().argmax(-1))
