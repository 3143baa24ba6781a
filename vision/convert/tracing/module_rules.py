"""Which module becomes which attention layer.

>>> layer_for(nn.MaxPool2d(2), (64, 32, 32), [], Settings()).kind
'max pool'
"""

from collections.abc import Callable, Sequence

from timm.layers.adaptive_avgmax_pool import FastAdaptiveAvgPool, FastAdaptiveMaxPool
from timm.layers.blur_pool import BlurPool2d
from timm.layers.conv2d_same import Conv2dSame, Conv2dSameExport
from timm.layers.pool2d_same import AvgPool2dSame, MaxPool2dSame
from timm.layers.std_conv import ScaledStdConv2d, ScaledStdConv2dSame, StdConv2d, StdConv2dSame
from torch import nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from vision.convert.layers.convolution import CONVS, CONVS_TRANSPOSED
from vision.convert.modules import has_forward_of, hooks
from vision.convert.tracing import convolution_rules as conv
from vision.convert.tracing import pooling_rules as pool
from vision.convert.tracing.observe import FunctionCall
from vision.convert.tracing.rule import CannotConvert, Settings, Shape
from vision.mixers import ConvAttention, Convolution
from vision.models.pool import TokenPool
from vision.patches import PatchEmbed

# Hooks that compute a weight before each forward. The layer keeps the value that they computed last.
_REPARAMETRIZING = (WeightNorm, SpectralNorm, BasePruningMethod)
RULES: dict[type[nn.Module], Callable[..., nn.Module]] = {
    **dict.fromkeys([*CONVS.values(), *CONVS_TRANSPOSED.values()], conv.convolution),
    Conv2dSame: conv.same_convolution,
    Conv2dSameExport: conv.same_convolution,
    StdConv2d: conv.standardized_convolution,
    StdConv2dSame: conv.standardized_convolution,
    ScaledStdConv2d: conv.standardized_convolution,
    ScaledStdConv2dSame: conv.standardized_convolution,
    BlurPool2d: conv.blur_pool,
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, AvgPool2dSame), pool.average_pool),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, MaxPool2dSame), pool.max_pool),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d), pool.adaptive_pool),
    **dict.fromkeys((nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d), pool.adaptive_pool),
    FastAdaptiveAvgPool: pool.fast_average,
    FastAdaptiveMaxPool: pool.fast_maximum,
    Convolution: conv.token_convolution,
    ConvAttention: conv.token_convolution,
    PatchEmbed: conv.patch_embed,
    TokenPool: pool.token_pool,
}


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
