"""Which call of torch's functions, in a module's own forward, becomes which attention layer.

>>> layer_for_call(FunctionCall("avg_pool2d", (torch.zeros(2, 3, 8, 8), 2), {}), Settings()).output_size
(4, 4)
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vision.convert.layers.base import AttentionLayer
from vision.convert.layers.convolution import CONVS, CONVS_TRANSPOSED, ConvolutionAttention
from vision.convert.layers.geometry import per_axis
from vision.convert.layers.global_average import GlobalAverage
from vision.convert.tracing.module_rules import layer_for
from vision.convert.tracing.observe import BATCH, FunctionCall
from vision.convert.tracing.rule import CannotConvert, Settings
from vision.dynamic import Arguments

Numbers = int | tuple[int, ...]  # one for all axes, or one per axis

# The order of a function's arguments, if it differs from that of the module.
_ORDER = {"max_pool": ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")}
_POOLS = {
    "avg_pool": (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    "max_pool": (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    "adaptive_avg_pool": (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    "adaptive_max_pool": (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
}


def has_call_rule(call: FunctionCall) -> bool:
    """Return whether a rule of `layer_for_call` applies to a call."""
    return is_global_mean(call) if call.function == "mean" else call.function in _CALLS


def layer_for_call(call: FunctionCall, settings: Settings) -> nn.Module:
    """Return the attention layer that equals a call of one of torch's functions with a rule.

    Raises:
        CannotConvert: the call cannot be converted.
    """
    x = call.args[0] if call.args else call.kwargs["input"]
    if len(x) != BATCH:
        raise CannotConvert("it mixes the images of a batch")
    build = _CALLS[call.function]
    try:
        bound = inspect.signature(build).bind(settings, *call.args, **call.kwargs)
    except TypeError as error:
        raise CannotConvert(f"{call.function}: {error}") from error
    return build(*bound.args, **bound.kwargs)


def _convolution(
    settings: Settings,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> AttentionLayer:
    dims = input.ndim - 2
    kernel = tuple(weight.shape[2:])
    shared: Arguments = {
        "padding": padding,
        "dilation": per_axis(dilation, dims),
        "groups": groups,
        "bias": False,
    }
    conv = CONVS[dims](input.shape[1], len(weight), kernel, per_axis(stride, dims), device="meta", **shared)
    return _without_weights(ConvolutionAttention(conv, tuple(input.shape[2:])))


def _transposed(
    settings: Settings,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> AttentionLayer:
    dims, outputs = input.ndim - 2, weight.shape[1] * groups
    conv = CONVS_TRANSPOSED[dims](
        input.shape[1],
        outputs,
        tuple(weight.shape[2:]),
        stride,
        padding,
        output_padding,
        groups,
        False,
        dilation,
        device="meta",
    )
    return _without_weights(ConvolutionAttention(conv, tuple(input.shape[2:])))


def _pool(kind: str) -> Callable[..., nn.Module]:
    def build(settings: Settings, input: Tensor, *args: Any, **kwargs: Any) -> nn.Module:
        named = dict(zip(_ORDER.get(kind, ()), args, strict=False))
        pool = _POOLS[kind][input.ndim - 3](*args[len(named) :], **named, **kwargs)
        layer = layer_for(pool, tuple(input.shape[1:]), [], settings)
        if layer is None:
            raise CannotConvert(f"there is no rule for {pool}")
        return layer

    return build


def _mean_arguments(
    input: Tensor,
    dim: Numbers | None = None,
    keepdim: bool = False,
    *,
    axis: Numbers | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, Numbers | None, bool]:
    """Return input, dim and keepdim of torch.mean. Another dtype counts as keepdim."""
    return input, dim if axis is None else axis, keepdim or dtype is not None


def _mean(settings: Settings, *args: Any, **kwargs: Any) -> nn.Module:
    """Return the mean over all positions of images (B, C, *size), or of tokens (B, N, C)."""
    input, dim, _ = _mean_arguments(*args, **kwargs)
    dims = sorted(d % input.ndim for d in per_axis(dim, 1))
    if input.ndim == 3 and dims == [1]:
        return GlobalAverage((input.shape[1],), keepdim=False, channels_last=True)
    return GlobalAverage(tuple(input.shape[2:]), keepdim=False)


def is_global_mean(call: FunctionCall) -> bool:
    """Return whether a call of mean is a global pool: over all positions of (B, C, *size), or of (B, N, C).

    A mean that keeps its dimensions is not: squeeze-excite and norms scale every token by it, and stay.
    """
    x, dim, keepdim = _mean_arguments(*call.args, **call.kwargs)
    if dim is None or keepdim or x.ndim < 3 or len(x) != BATCH:
        return False
    dims = sorted(d % x.ndim for d in per_axis(dim, 1))
    return dims == list(range(2, x.ndim)) if x.ndim > 3 else dims == [1]


def _without_weights(layer: ConvolutionAttention) -> ConvolutionAttention:
    for name in ("weight", "bias"):
        setattr(layer, name, None)
    return layer


_CALLS: dict[str, Callable[..., nn.Module]] = {
    **{f"conv{n}d": _convolution for n in CONVS},
    **{f"conv_transpose{n}d": _transposed for n in CONVS_TRANSPOSED},
    **{f"{kind}{n}d": _pool(kind) for kind in _POOLS for n in (1, 2, 3)},
    "mean": _mean,
}
