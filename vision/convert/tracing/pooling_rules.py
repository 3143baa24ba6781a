"""Pools as attention layers."""

from collections.abc import Sequence
from typing import Any

from timm.layers.pool2d_same import AvgPool2dSame, MaxPool2dSame
from torch import nn
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd  # pyright: ignore[reportPrivateUsage]

from vision.convert.layers.base import AttentionLayer
from vision.convert.layers.geometry import AdaptiveWindow, Window, per_axis
from vision.convert.layers.global_average import GlobalAverage
from vision.convert.layers.pooling import AverageAttention, MaximumAttention
from vision.convert.tracing.observe import FunctionCall
from vision.convert.tracing.rule import CannotConvert, Settings, Shape
from vision.models.pool import TokenPool

_INDICES = "return_indices=True: attention returns values, not the positions that they came from"


def average_pool(
    module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    """Average pools, with or without TensorFlow's padding."""
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


def max_pool(module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings) -> AttentionLayer:
    """Maximum pools, with or without TensorFlow's padding."""
    if module.return_indices:
        raise CannotConvert(_INDICES)
    window = _pool_window(module, len(shape) - 1, same=isinstance(module, MaxPool2dSame))
    if window.same:
        options = module.dilation, False, module.ceil_mode
        pool = nn.MaxPool2d(module.kernel_size, module.stride, 0, *options)
    else:
        pool = module
    return MaximumAttention(pool, window, shape[1:], channels=shape[0], beta=settings.beta)


def adaptive_pool(
    module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> AttentionLayer:
    """Pools to a given size, of averages or maxima."""
    size = shape[1:]
    window = AdaptiveWindow(per_axis(module.output_size, len(size)))
    if isinstance(module, _AdaptiveAvgPoolNd):
        return AverageAttention(module, window, size)
    if module.return_indices:
        raise CannotConvert(_INDICES)
    return MaximumAttention(module, window, size, channels=shape[0], beta=settings.beta)


def fast_average(module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings) -> nn.Module:
    """timm's global average, over images or over tokens."""
    last = tuple(module.dim) == (1, 2)
    if last and not module.flatten:
        raise CannotConvert("it keeps the axes of (B, H, W, C)")
    return GlobalAverage(shape[:-1] if last else shape[1:], keepdim=not module.flatten, channels_last=last)


def fast_maximum(module: Any, shape: Shape, calls: Sequence[FunctionCall], settings: Settings) -> nn.Module:
    """timm's global maximum over images."""
    if tuple(module.dim) != (2, 3):
        raise CannotConvert("it takes the maximum over tokens that are not (B, C, H, W)")
    pool = adaptive_pool(nn.AdaptiveMaxPool2d(1), shape, calls, settings)
    return nn.Sequential(pool, nn.Flatten(1)) if module.flatten else pool


def token_pool(
    module: TokenPool, shape: Shape, calls: Sequence[FunctionCall], settings: Settings
) -> nn.Module:
    """The backbone's mean over tokens (B, N, C)."""
    if module.kind != "avg":
        raise CannotConvert(f"a pool of kind {module.kind!r} over tokens has no attention here")
    return GlobalAverage(shape[:-1], keepdim=False, channels_last=True)


def _pool_window(pool: Any, dims: int, *, same: bool) -> Window:
    numbers = pool.kernel_size, pool.stride, pool.padding, getattr(pool, "dilation", 1)
    kernel, stride, padding, dilation = (per_axis(number, dims) for number in numbers)
    pads = tuple((p, p) for p in padding)
    return Window(kernel, stride, pads, dilation, same=same, ceil_mode=pool.ceil_mode)
