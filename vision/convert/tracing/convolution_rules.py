"""Convolutions, and what is one under another name, as attention layers."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from vision.convert.layers.base import AttentionLayer
from vision.convert.layers.convolution import CONVS, ConvolutionAttention
from vision.convert.layers.geometry import ConvNd, Size, Window, convolution_window
from vision.convert.layers.global_average import OnTokens
from vision.convert.layers.low_rank import MinimalConvolutionAttention
from vision.convert.tracing.observe import FunctionCall
from vision.convert.tracing.rule import Settings, Shape
from vision.patches import PatchEmbed, pair


def convolution(
    module: ConvNd, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    """torch's own convolutions, transposed ones too."""
    return _built(module, shape[1:], convolution_window(module), settings)


def same_convolution(
    module: ConvNd, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    """timm's convolutions with TensorFlow's padding."""
    return _built(module, shape[1:], convolution_window(module, same=True), settings)


def standardized_convolution(
    module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    """Weight standardization: the kernel that the forward pass used becomes a plain one."""
    used = next(call for call in calls if call.function == "conv2d").args[1]
    window = convolution_window(module, same=getattr(module, "same_pad", False))
    conv = copy.copy(module)
    weight = nn.Parameter(used.detach().clone(), requires_grad=module.weight.requires_grad)
    conv._parameters = {"weight": weight, "bias": module.bias}  # a shallow copy shares the original's
    return _built(conv, shape[1:], window, settings)


def blur_pool(module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings) -> AttentionLayer:
    """timm's blur pool: a convolution of each channel with a fixed kernel."""
    channels, k = shape[0], module.filt_size
    conv = nn.Conv2d(channels, channels, k, module.stride, groups=channels, bias=False)
    weight = module.filt.expand(channels, 1, k, k).clone()
    conv.weight = nn.Parameter(weight, requires_grad=False)
    left, right, top, bottom = module.padding
    mode = "zeros" if module.pad_mode == "constant" else module.pad_mode
    window = Window((k, k), conv.stride, ((top, bottom), (left, right)), (1, 1), padding_mode=mode)
    return _built(conv, shape[1:], window, settings)


def token_convolution(
    module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> nn.Module:
    """The mixers of this suite that are convolutions on tokens (B, N, C)."""
    kernel, grid = tuple(module.weight.shape[2:]), module.grid
    conv = CONVS[2](
        shape[1],
        len(module.weight),
        kernel,
        stride=getattr(module, "stride", 1),
        padding=module.padding,
        dilation=module.dilation,
        groups=module.groups,
        bias=module.bias is not None,
    )
    conv.weight, conv.bias = module.weight, module.bias
    size = (grid.rows, grid.cols)
    return OnTokens(_built(conv, size, convolution_window(conv), settings), size)


def patch_embed(
    module: PatchEmbed, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> nn.Module:
    """Patches times a matrix: a convolution whose stride is its kernel."""
    patch, linear = pair(module.patch_size), module.proj
    conv = nn.Conv2d(shape[0], linear.out_features, patch, patch)
    weight = linear.weight.detach().clone().view(-1, shape[0], *patch)
    conv.weight, conv.bias = nn.Parameter(weight), linear.bias
    window = replace(convolution_window(conv), padding=tuple((0, after) for after in module.padding))
    layer = OnTokens(_built(conv, shape[1:], window, settings), None)
    layer.grid, layer.patch_size = module.grid, module.patch_size
    return layer


def _built(conv: ConvNd, size: Size, window: Window, settings: Settings) -> AttentionLayer:
    build = MinimalConvolutionAttention if settings.minimal else ConvolutionAttention
    return build(conv, size, window=window)
