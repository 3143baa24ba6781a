"""Which module becomes which attention layer.

>>> layer_for(nn.MaxPool2d(2), (64, 32, 32), [], Settings()).kind
'max pool'
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from timm.layers.adaptive_avgmax_pool import FastAdaptiveAvgPool, FastAdaptiveMaxPool
from timm.layers.blur_pool import BlurPool2d
from timm.layers.conv2d_same import Conv2dSame, Conv2dSameExport
from timm.layers.pool2d_same import AvgPool2dSame, MaxPool2dSame
from timm.layers.std_conv import ScaledStdConv2d, ScaledStdConv2dSame, StdConv2d, StdConv2dSame
from torch import nn
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd  # pyright: ignore[reportPrivateUsage]
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from vision.convert.layers.base import AttentionLayer
from vision.convert.layers.convolution import CONVS, CONVS_TRANSPOSED, ConvolutionAttention
from vision.convert.layers.geometry import AdaptiveWindow, ConvNd, Size, Window, convolution_window, per_axis
from vision.convert.layers.global_average import GlobalAverage, OnTokens
from vision.convert.layers.low_rank import MinimalConvolutionAttention
from vision.convert.layers.pooling import AverageAttention, MaximumAttention
from vision.convert.modules import has_forward_of, hooks
from vision.convert.tracing.observe import FunctionCall
from vision.mixers import ConvAttention, Convolution
from vision.models.pool import TokenPool
from vision.patches import PatchEmbed, pair

Shape = tuple[int, ...]
# Hooks that compute a weight before each forward. The layer keeps the value that they computed last.
_REPARAMETRIZING = (WeightNorm, SpectralNorm, BasePruningMethod)

_INDICES = "return_indices=True: attention returns values, not the positions that they came from"


class CannotConvert(Exception):
    """A module or call that has no equal attention layer. The message gives the reason."""


@dataclass(frozen=True)
class Settings:
    """How to convert.

    Attributes:
        minimal: use as few heads as the rank of a kernel needs, rather than one per kernel position.
        beta: inverse temperature of maximum pools, None for exact ones.
    """

    minimal: bool = False
    beta: float | None = None


def layer_for(
    module: nn.Module, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> nn.Module | None:
    """Return the attention layer that equals a module on inputs (B, *shape), or None if no rule applies.

    Args:
        module: any module.
        shape: (C, *size) of its input.
        calls: the functions that it called in a forward pass.
        settings: how to convert.

    Raises:
        CannotConvert: a rule applies to the module, but it cannot be converted.
    """
    known = _class_with_rule(module)
    if known is None:
        return None
    if foreign := [hook for hook in hooks(module) if not isinstance(hook, _REPARAMETRIZING)]:
        raise CannotConvert(f"it has hooks, which would be lost: {', '.join(map(str, foreign))}")
    return RULES[known](module, shape, calls, settings)


def has_rule(module: nn.Module) -> bool:
    """Return whether a rule of `layer_for` applies to a module."""
    return _class_with_rule(module) is not None


def _class_with_rule(module: nn.Module) -> type[nn.Module] | None:
    """Return a module's class, or its first parent with a rule whose forward is not overridden."""
    known = next((cls for cls in type(module).__mro__ if cls in RULES), None)
    return known if known is not None and has_forward_of(module, known) else None


def _convolution(
    module: ConvNd, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    return _built(module, shape[1:], convolution_window(module), settings)


def _same_convolution(
    module: ConvNd, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    return _built(module, shape[1:], convolution_window(module, same=True), settings)


def _standardized_convolution(
    module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    """Weight standardization: the kernel that the forward pass used becomes a plain one."""
    used = next(call for call in calls if call.function == "conv2d").args[1]
    window = convolution_window(module, same=getattr(module, "same_pad", False))
    conv = copy.copy(module)
    weight = nn.Parameter(used.detach().clone(), requires_grad=module.weight.requires_grad)
    conv._parameters = {"weight": weight, "bias": module.bias}  # a shallow copy shares the original's
    return _built(conv, shape[1:], window, settings)


def _blur_pool(
    module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    channels, k = shape[0], module.filt_size
    conv = nn.Conv2d(channels, channels, k, module.stride, groups=channels, bias=False)
    weight = module.filt.expand(channels, 1, k, k).clone()
    conv.weight = nn.Parameter(weight, requires_grad=False)
    left, right, top, bottom = module.padding
    mode = "zeros" if module.pad_mode == "constant" else module.pad_mode
    window = Window((k, k), conv.stride, ((top, bottom), (left, right)), (1, 1), padding_mode=mode)
    return _built(conv, shape[1:], window, settings)


def _average_pool(
    module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    window = _pool_window(module, len(shape) - 1, same=isinstance(module, AvgPool2dSame))
    if window.same:
        pool = nn.AvgPool2d(module.kernel_size, module.stride, 0, module.ceil_mode, module.count_include_pad)
    else:
        pool = module
    return AverageAttention(
        pool,
        window,
        shape[1:],
        include_padding=module.count_include_pad or window.same,
        divisor=getattr(module, "divisor_override", None),
    )


def _max_pool(module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings) -> AttentionLayer:
    if module.return_indices:
        raise CannotConvert(_INDICES)
    window = _pool_window(module, len(shape) - 1, same=isinstance(module, MaxPool2dSame))
    if window.same:
        options = module.dilation, False, module.ceil_mode
        pool = nn.MaxPool2d(module.kernel_size, module.stride, 0, *options)
    else:
        pool = module
    return MaximumAttention(pool, window, shape[1:], channels=shape[0], beta=settings.beta)


def _adaptive_pool(
    module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    size = shape[1:]
    window = AdaptiveWindow(per_axis(module.output_size, len(size)))
    if isinstance(module, _AdaptiveAvgPoolNd):
        return AverageAttention(module, window, size)
    if module.return_indices:
        raise CannotConvert(_INDICES)
    return MaximumAttention(module, window, size, channels=shape[0], beta=settings.beta)


def _fast_average(
    module: Any,
    shape: Shape,
    calls: Sequence[FunctionCall],
    settings: Settings,
) -> nn.Module:
    last = tuple(module.dim) == (1, 2)
    if last and not module.flatten:
        raise CannotConvert("it keeps the axes of (B, H, W, C)")
    return GlobalAverage(shape[:-1] if last else shape[1:], keepdim=not module.flatten, channels_last=last)


def _fast_maximum(
    module: Any,
    shape: Shape,
    calls: Sequence[FunctionCall],
    settings: Settings,
) -> nn.Module:
    if tuple(module.dim) != (2, 3):
        raise CannotConvert("it takes the maximum over tokens that are not (B, C, H, W)")
    pool = _adaptive_pool(nn.AdaptiveMaxPool2d(1), shape, calls, settings)
    return nn.Sequential(pool, nn.Flatten(1)) if module.flatten else pool


def _token_convolution(
    module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> nn.Module:
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


def _patch_embed(
    module: PatchEmbed, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> nn.Module:
    patch, linear = pair(module.patch_size), module.proj
    conv = nn.Conv2d(shape[0], linear.out_features, patch, patch)
    weight = linear.weight.detach().clone().view(-1, shape[0], *patch)
    conv.weight, conv.bias = nn.Parameter(weight), linear.bias
    window = replace(convolution_window(conv), padding=tuple((0, after) for after in module.padding))
    layer = OnTokens(_built(conv, shape[1:], window, settings), None)
    layer.grid, layer.patch_size = module.grid, module.patch_size
    return layer


def _token_pool(
    module: TokenPool, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> nn.Module:
    if module.kind != "avg":
        raise CannotConvert(f"a pool of kind {module.kind!r} over tokens has no attention here")
    return GlobalAverage(shape[:-1], keepdim=False, channels_last=True)


def _built(conv: ConvNd, size: Size, window: Window, settings: Settings) -> AttentionLayer:
    build = MinimalConvolutionAttention if settings.minimal else ConvolutionAttention
    return build(conv, size, window=window)


def _pool_window(pool: Any, dims: int, *, same: bool) -> Window:
    numbers = pool.kernel_size, pool.stride, pool.padding, getattr(pool, "dilation", 1)
    kernel, stride, padding, dilation = (per_axis(number, dims) for number in numbers)
    pads = tuple((p, p) for p in padding)
    return Window(kernel, stride, pads, dilation, same=same, ceil_mode=pool.ceil_mode)


RULES: dict[type[nn.Module], Callable[..., nn.Module]] = {
    **dict.fromkeys([*CONVS.values(), *CONVS_TRANSPOSED.values()], _convolution),
    Conv2dSame: _same_convolution,
    Conv2dSameExport: _same_convolution,
    StdConv2d: _standardized_convolution,
    StdConv2dSame: _standardized_convolution,
    ScaledStdConv2d: _standardized_convolution,
    ScaledStdConv2dSame: _standardized_convolution,
    BlurPool2d: _blur_pool,
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, AvgPool2dSame), _average_pool),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, MaxPool2dSame), _max_pool),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d), _adaptive_pool),
    **dict.fromkeys((nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d), _adaptive_pool),
    FastAdaptiveAvgPool: _fast_average,
    FastAdaptiveMaxPool: _fast_maximum,
    Convolution: _token_convolution,
    ConvAttention: _token_convolution,
    PatchEmbed: _patch_embed,
    TokenPool: _token_pool,
}
