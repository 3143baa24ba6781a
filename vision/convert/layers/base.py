"""What all converted layers have in common: images in, images out, and attention on tokens in between.

>>> from vision.convert import ConvolutionAttention
>>> layer = ConvolutionAttention(nn.Conv2d(3, 8, 3, padding=1), (8, 8))
>>> len(layer.heads), layer.attention_map(torch.randn(1, 3, 8, 8)).shape
(9, torch.Size([1, 9, 64, 64]))
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from vision.attention import attend, gather
from vision.convert.layers import geometry
from vision.convert.layers.geometry import AdaptiveWindow, Size, Window
from vision.convert.modules import named_modules
from vision.fields import Field
from vision.tracing import fx_call

LARGEST_MAP = 2**31  # bytes


class AttentionLayer(nn.Module):
    """(B, C, *input_size) -> (B, C_out, *output_size): masked multi-head attention on the tokens of an image.

    Subclasses define the heads; the window defines which keys they attend to. The layer accepts inputs of any
    size. Its properties refer to `input_size`.

    Attributes:
        window: the geometry.
        input_size: positions on each axis of the input that the layer was converted for.
        explicit: run as attention with weights. If False, run torch's own operation, which gives the same
            output. May be set at any time.
    """

    kind = "attention"

    def __init__(self, window: Window | AdaptiveWindow, input_size: Size) -> None:
        super().__init__()
        self.window, self.input_size, self.explicit = window, tuple(input_size), False

    @property
    def output_size(self) -> Size:
        """Positions on each axis of the output."""
        return geometry.output_size(self.window, self.input_size)

    @property
    def field(self) -> Field:
        """The keys of each query, over all heads."""
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
        """Return the torch module that equals this layer, with the layer's weights."""

    @abstractmethod
    def fast(self, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, C, *input_size) -> (B, C_out, *output_size): torch's own operation.

        Args:
            x: the input.
            weight: the kernel of this call, for a model that computes its kernel in the forward pass.
            bias: the bias of this call.
        """

    @abstractmethod
    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, *input_size) -> q (B, H, N_query, D), k (B, H, N_key, D), v (B, H, N_key, V).

        The keys are the tokens, followed by the layer's null tokens, if it has any. Their value is 0.
        """

    @abstractmethod
    def merge_heads(self, heads: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, H, N_query, V) -> (B, N_query, C_out): the map after the heads."""

    def forward(self, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, C, *input_size) -> (B, C_out, *output_size)."""
        if (recorded := fx_call(self, x, weight, bias)) is not None:
            return recorded
        self.check_input(x)
        if not self.explicit:
            return self.fast(x, weight, bias)
        heads = self.attend(*self.qkv(x), size=_size(x))
        return self.to_images(self.merge_heads(heads, weight, bias), _size(x))

    def check_input(self, x: Tensor) -> None:
        """Raise a ValueError for an input without a batch or with another number of axes."""
        if x.ndim != len(self.input_size) + 2:
            axes = ", ".join(("B", "C", *"DHW"[-len(self.input_size) :]))
            raise ValueError(f"the input of this {self.kind} must be ({axes}), got shape {tuple(x.shape)}")

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, size: Size | None = None) -> Tensor:
        """q, k, v as returned by `qkv` -> (B, H, N_query, V): attention of each head within its field."""
        return attend(q, k, v, self.fields_for(size or self.input_size), self.scores())

    def fields_for(self, size: Size) -> Field | Sequence[Field]:
        """Return the field, or one per head, over tokens and null tokens of an input of this size."""
        return geometry.whole_field(self.window, size)

    def scores(self) -> Tensor | None:
        """Return (H, K), what each head adds to the logits at each column of its field, or None."""
        return None

    def neighbour_weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, *input_size) -> weights (B, H, N_query, K), index (H, N_query, K).

        The weights of each head, and the token that each weight belongs to: -1 for a null token or none.
        """
        q, k, _ = self.qkv(x)
        index, valid = _columns(self.fields_for(_size(x)), x.device)
        weights = gather.weights(q, k, index, valid, self.scores())
        real = valid & (index < x[0, 0].numel())
        return weights, torch.where(real, index, -1).expand(self.num_heads, -1, -1)

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, C, *input_size) -> (B, H, N_query, N_key): the weights on each token, without null tokens.

        Raises:
            ValueError: the map would be larger than 2 GiB. `neighbour_weights` gives the same in less memory.
        """
        weights, index = self.neighbour_weights(x)
        shape = (*weights.shape[:3], x[0, 0].numel() + 1)
        needed = weights.element_size() * shape[0] * shape[1] * shape[2] * shape[3]
        if needed > LARGEST_MAP:
            raise ValueError(
                f"the attention map {shape} would take {needed / 2**30:.0f} GiB, more than "
                f"{LARGEST_MAP / 2**30:.0f}; use neighbour_weights, a smaller image or fewer images"
            )
        # Weights on no token go to an additional column, which is dropped.
        column = torch.where(index < 0, shape[3] - 1, index).expand_as(weights)
        return weights.new_zeros(shape).scatter_add(3, column, weights)[..., :-1]

    def to_images(self, tokens: Tensor, size: Size) -> Tensor:
        """(B, N_query, C_out) -> (B, C_out, *output_size) for an input of this size."""
        images = tokens.transpose(1, 2).contiguous()
        return images.view(*images.shape[:2], *geometry.output_size(self.window, size))

    def extra_repr(self) -> str:
        """Return the text that nn.Module prints for this module."""
        sizes = (" x ".join(map(str, size)) for size in (self.input_size, self.output_size))
        return f"heads={self.num_heads}, " + " -> ".join(sizes)


def attention_layers(model: nn.Module) -> Iterator[tuple[str, AttentionLayer]]:
    """Yield name and layer of each converted part of a model, in the order of its modules."""
    return ((name, m) for name, m in named_modules(model).items() if isinstance(m, AttentionLayer))


def set_explicit_attention(model: nn.Module, explicit: bool) -> nn.Module:
    """Run a model's attention layers with weights (explicit) or as torch's operations. Return the model."""
    for _, layer in attention_layers(model):
        layer.explicit = explicit
    return model


def _size(x: Tensor) -> Size:
    return tuple(x.shape[2:])


def _columns(fields: Field | Sequence[Field], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return index and valid, each (1 or H, N_query, K)."""
    pairs = [field.neighbours(device) for field in ([fields] if isinstance(fields, Field) else fields)]
    return torch.stack([index for index, _ in pairs]), torch.stack([valid for _, valid in pairs])
