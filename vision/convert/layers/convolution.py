"""Any convolution as masked attention, exactly: one head per kernel position, one key per query.

>>> ConvolutionAttention(nn.Conv3d(2, 4, 3, padding=1), (5, 6, 7)).num_heads
27
"""

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vision.attention.convolution import constant_queries_keys, merge_heads
from vision.convert.layers import geometry
from vision.convert.layers.base import AttentionLayer
from vision.convert.layers.geometry import ConvNd, Size, Window, convolution_window
from vision.convert.layers.padding import Padding, pad
from vision.convert.layers.tokens import tokens_of
from vision.dynamic import Arguments
from vision.fields import Field

_FAST = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_FAST_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
CONVS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONVS_TRANSPOSED: dict[int, Any] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


class ConvolutionAttention(AttentionLayer):
    """(B, C, *input_size) -> (B, O, *output_size): a convolution, or a transposed one, as attention.

    The mask of head k leaves query o the single key o * stride + k * dilation - padding, or no key beyond the
    border. A softmax over one entry is 1 for any logits, so q and k have no effect; here they are 0. The
    value map of head k is the identity. Its output map is weight[:, :, k], block-diagonal over the groups.
    This is the construction of Cordonnier, Loukas and Jaggi (2020), made exact by the mask.

    Args:
        conv: an nn.Conv1d to 3d or nn.ConvTranspose1d to 3d. Its parameters are shared, under their names.
        input_size: positions on each axis of the input.
        window: a geometry other than the module's own, such as TensorFlow's "same" padding.
    """

    kind = "convolution"
    window: Window
    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self, conv: ConvNd, input_size: Size, *, window: Window | None = None) -> None:
        super().__init__(window or convolution_window(conv), input_size)
        self.groups, self.out_channels, self.in_channels = conv.groups, conv.out_channels, conv.in_channels
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.padding, self.padding_mode = conv.padding, conv.padding_mode
        # A weight that a parametrization or hook computes is not in a state_dict; its current value is kept.
        self.weight, self.bias = _parameter(conv.weight), _parameter(conv.bias)

    @property
    def num_heads(self) -> int:
        """K, the number of kernel positions."""
        return self.window.count

    @property
    def heads(self) -> Sequence[Field]:
        """The field of each head: one key per query."""
        return geometry.kernel_fields(self.window, self.input_size)

    def fields_for(self, size: Size) -> Field | Sequence[Field]:
        """Return the heads' fields for an input of this size."""
        return geometry.kernel_fields(self.window, size)

    def kernel(self) -> Tensor | None:
        """Return the kernel in the layout of torch's module, or None if it comes with each call."""
        return self.weight

    def to_conv(self) -> nn.Module:
        """Return the convolution, after a separate padding where the two sides of an axis differ.

        Raises:
            ValueError: the layer has no kernel, since the model computes it in its forward pass.
        """
        kernel = self.kernel()
        if kernel is None:
            raise ValueError("this layer gets its kernel with each call, so no convolution equals it")
        pads, n = self.window.pads(self.input_size), len(self.input_size)
        even = all(before == after for before, after in pads)
        options: Arguments = {
            "stride": self.window.stride,
            "padding": tuple(before for before, _ in pads) if even else 0,
            "dilation": self.window.dilation,
            "groups": self.groups,
            "bias": self.bias is not None,
        }
        if self.window.transposed:
            build, options["output_padding"] = CONVS_TRANSPOSED[n], self.window.output_padding
        else:
            build, options["padding_mode"] = CONVS[n], self.window.padding_mode if even else "zeros"
        conv = build(self.in_channels, self.out_channels, self.window.kernel_size, **options)
        conv.weight = nn.Parameter(kernel.detach().clone())
        if self.bias is not None:
            conv.bias = nn.Parameter(self.bias.detach().clone())
        conv.train(self.training)
        return conv if even else nn.Sequential(Padding(pads, self.window.padding_mode), conv)

    def fast(self, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, C, *input_size) -> (B, O, *output_size): torch's convolution."""
        weight, bias = self._kernel_bias(weight, bias)
        window, n = self.window, x.ndim - 2
        padding = _symmetric(window)
        if padding is None:
            x, padding = pad(x, window.pads(tuple(x.shape[2:])), window.padding_mode), (0,) * n
        if window.transposed:
            options = window.stride, padding, window.output_padding, self.groups, window.dilation
            return _FAST_TRANSPOSED[n](x, weight, bias, *options)
        return _FAST[n](x, weight, bias, window.stride, padding, window.dilation, self.groups)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, *input_size) -> zeros q (B, K, N_query, 1), k (B, K, N, 1); the tokens v (B, K, N, C)."""
        tokens = tokens_of(x).unsqueeze(1).expand(-1, self.num_heads, -1, -1)
        queries = geometry.output_size(self.window, tuple(x.shape[2:]))
        return (
            constant_queries_keys(tokens, prod(queries)),
            constant_queries_keys(tokens, tokens.shape[2]),
            tokens,
        )

    def merge_heads(self, heads: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, K, N_query, C) -> (B, N_query, O): the output maps, block-diagonal over the groups."""
        weight, bias = self._kernel_bias(weight, bias)
        out = merge_heads(heads, weight, self.groups, transposed=self.window.transposed)
        return out if bias is None else out + bias

    def check_input(self, x: Tensor) -> None:
        """Raise a ValueError for an input with another number of axes or channels, or of integers."""
        super().check_input(x)
        if x.shape[1] != self.in_channels:
            raise ValueError(
                f"the input of this {self.kind} must have {self.in_channels} channels, got shape "
                f"{tuple(x.shape)}"
            )
        if not (x.is_floating_point() or x.is_complex()):
            raise ValueError(f"images must be floating-point numbers, divided by 255, got {x.dtype}")

    def _kernel_bias(self, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the kernel and bias of this call, or those of the layer."""
        if weight is not None:
            return weight, bias
        if (kernel := self.kernel()) is None:
            raise ValueError("this layer gets its kernel with each call, got none")
        return kernel, self.bias


def _parameter(value: Tensor | None) -> nn.Parameter | None:
    if value is None or isinstance(value, nn.Parameter):
        return value
    return nn.Parameter(value.detach().clone())


def _symmetric(window: Window) -> Size | None:
    """Return the padding if torch's convolutions accept it, and None if F.pad is needed."""
    if window.same or window.padding_mode != "zeros" or any(a != b for a, b in window.padding):
        return None
    return tuple(a for a, _ in window.padding)
