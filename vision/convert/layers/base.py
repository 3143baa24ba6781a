"""What every converted layer has in common: images in, images out, and between them attention on tokens.

>>> layer = ConvolutionAttention(nn.Conv2d(3, 8, 3, padding=1), (32, 32))
>>> layer.field, layer.heads, layer.attention_map(torch.randn(1, 3, 32, 32))  # doctest: +SKIP
"""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vision.attention import attend, gather
from vision.convert.layers import geometry
from vision.convert.layers.geometry import AdaptiveWindow, Size, Window
from vision.fields import Field

LARGEST_MAP = 2**31  # bytes


class AttentionLayer(nn.Module):
    """(B, C, *input_size) -> (B, C_out, *output_size): masked multi-head attention on the tokens of an image.

    A subclass says what its heads are; the window says whom they attend to. The layer serves inputs of any
    size; the properties speak of `input_size`.

    Attributes:
        window: the geometry.
        input_size: places on each axis of the input that the layer was converted for.
        explicit: run as attention, weights and all; else as torch's own operation, which gives the same. May
            be set at any time.
    """

    kind = "attention"

    def __init__(self, window: Window | AdaptiveWindow, input_size: Size) -> None:
        super().__init__()
        self.window, self.input_size, self.explicit = window, tuple(input_size), False

    @property
    def output_size(self) -> Size:
        """Places on each axis of the output."""
        return geometry.output_size(self.window, self.input_size)

    @property
    def field(self) -> Field:
        """Who attends to whom: the keys of each query, over all heads."""
        return geometry.whole_field(self.window, self.input_size)

    @property
    def heads(self) -> Sequence[Field]:
        """The field of each head."""
        return [self.field] * self.num_heads

    @property
    @abstractmethod
    def num_heads(self) -> int:
        """Number of heads."""

    @abstractmethod
    def to_conv(self) -> nn.Module:
        """() -> the module of torch's that this layer equals, with the layer's own weights."""

    @abstractmethod
    def fast(self, x: Tensor, *values: Tensor | None) -> Tensor:
        """(B, C, *input_size) -> (B, C_out, *output_size): torch's own operation."""

    @abstractmethod
    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, *input_size) -> q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V).

        The keys are the tokens, and behind them the layer's null tokens, if it has any: their value is 0.
        """

    @abstractmethod
    def merge_heads(self, heads: Tensor, *values: Tensor | None) -> Tensor:
        """(B, H, N_query, V) -> (B, N_query, C_out): the map behind the heads."""

    def forward(self, x: Tensor, *values: Tensor | None) -> Tensor:
        """(B, C, *input_size) -> (B, C_out, *output_size)."""
        if not self.explicit:
            return self.fast(x, *values)
        return self.images(self.merge_heads(self.attend(*self.qkv(x), size=_size(x)), *values), _size(x))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, size: Size | None = None) -> Tensor:
        """q, k, v as `qkv` gives them -> (B, H, N_query, V): attention of each head inside its field."""
        return attend(q, k, v, self.attended(size or self.input_size), self.scores())

    def attended(self, size: Size) -> Field | Sequence[Field]:
        """() -> the field, or one per head, over the tokens and null tokens of an input of this size."""
        return geometry.whole_field(self.window, size)

    def scores(self) -> Tensor | None:
        """() -> (H, K), what a head adds to the logits at each column of its field; None for nothing."""
        return None

    def neighbour_weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, *input_size) -> weights (B, H, N_query, K), index (H, N_query, K).

        The weights of each head, and the token that each is on: -1 for a null token or for no token at all.
        """
        q, k, _ = self.qkv(x)
        fields = self.attended(_size(x))
        index, valid = _columns(fields, x.device)
        weights = gather.weights(q, k, index, valid, self.scores())
        real = valid & (index < x[0, 0].numel())
        return weights, torch.where(real, index, -1).expand(self.num_heads, -1, -1)

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, C, *input_size) -> (B, H, N_query, N_key): the weights on each token; null tokens left out.

        Raises:
            ValueError: the map is too large to look at; `neighbour_weights` says the same in little space.
        """
        weights, index = self.neighbour_weights(x)
        shape = (*weights.shape[:3], x[0, 0].numel() + 1)
        needed = weights.element_size() * shape[0] * shape[1] * shape[2] * shape[3]
        if needed > LARGEST_MAP:
            raise ValueError(
                f"the attention map {shape} would take {needed / 2**30:.0f} GiB, more than "
                f"{LARGEST_MAP / 2**30:.0f}; use neighbour_weights, a smaller image or fewer images"
            )
        place = torch.where(index < 0, shape[3] - 1, index).expand_as(weights)
        return weights.new_zeros(shape).scatter_add(3, place, weights)[..., :-1]

    def images(self, tokens: Tensor, size: Size) -> Tensor:
        """(B, N_query, C_out) -> (B, C_out, *output_size) for an input of this size."""
        return tokens.transpose(1, 2).contiguous().unflatten(2, geometry.output_size(self.window, size))

    def extra_repr(self) -> str:
        """() -> what nn.Module prints of this module."""
        sizes = (" x ".join(map(str, size)) for size in (self.input_size, self.output_size))
        return f"heads={self.num_heads}, " + " -> ".join(sizes)


class Padding(nn.Module):
    """(B, C, *size) -> (B, C, *padded size): F.pad, by (before, after) of each axis.

    Args:
        pads: (before, after) on each axis.
        padding_mode: as nn.Conv2d's.
        value: what zeros are instead.
    """

    def __init__(
        self, pads: Sequence[tuple[int, int]], padding_mode: str = "zeros", value: float = 0.0
    ) -> None:
        super().__init__()
        self.pads, self.padding_mode, self.value = tuple(pads), padding_mode, value

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *size) -> (B, C, *padded size)."""
        return pad(x, self.pads, self.padding_mode, self.value)


def pad(
    x: Tensor, pads: Sequence[tuple[int, int]], padding_mode: str = "zeros", value: float = 0.0
) -> Tensor:
    """(B, C, *size) -> (B, C, *padded size): F.pad, which takes the last axis first and other names."""
    sides = [side for before_after in reversed(pads) for side in before_after]
    if padding_mode == "zeros":
        return nn.functional.pad(x, sides, value=value)
    return nn.functional.pad(x, sides, padding_mode)


def tokens_of(x: Tensor) -> Tensor:
    """(B, C, *size) -> (B, N, C)."""
    return x.flatten(2).transpose(1, 2)


def null_tokens(x: Tensor, count: int) -> Tensor:
    """(B, ..., N, C) -> (B, ..., N + count, C): tokens of value 0 behind the others."""
    return torch.cat((x, x.new_zeros(*x.shape[:-2], count, x.shape[-1])), dim=-2)


def _size(x: Tensor) -> Size:
    return tuple(x.shape[2:])


def _columns(fields: Field | Sequence[Field], device: torch.device) -> tuple[Tensor, Tensor]:
    """() -> index and valid (1 or H, N_query, K)."""
    pairs = [field.neighbours(device) for field in ([fields] if isinstance(fields, Field) else fields)]
    return torch.stack([index for index, _ in pairs]), torch.stack([valid for _, valid in pairs])
