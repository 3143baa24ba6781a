"""Batch norm in evaluation: folded into the convolution before it, or kept as one scale and shift a channel.

>>> fold(conv, norm)  # conv(x) is norm(conv(x)) of before, up to rounding  # doctest: +SKIP
"""

from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d, FrozenBatchNormAct2d, SyncBatchNormAct
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torchvision.ops import FrozenBatchNorm2d

_FOLDABLE = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    Conv2dSame,
)
_FROZEN = (FrozenBatchNorm2d, FrozenBatchNormAct2d)
_WITH_ACTIVATION = (BatchNormAct2d, SyncBatchNormAct, FrozenBatchNormAct2d)
_KNOWN = (_BatchNorm, nn.SyncBatchNorm, *_FROZEN, *_WITH_ACTIVATION)


class TokenAffine(nn.Module):
    """(B, C, *size) -> (B, C, *size): a scale and a shift for each channel, the same for every token.

    Args:
        scale: (C,).
        shift: (C,).
    """

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(scale), nn.Parameter(shift)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *size) -> (B, C, *size)."""
        shape = (-1,) + (1,) * (x.ndim - 2)
        return x * self.scale.view(shape) + self.shift.view(shape)


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a batch norm, frozen or not, with or without an activation behind it."""
    return isinstance(module, (_BatchNorm, *_FROZEN))


def refusal(norm: Any) -> str | None:
    """Why a batch norm is no affine map of each token, or None where it is."""
    if not any(type(norm).forward is known.forward for known in _KNOWN):
        return "a batch norm with a forward of its own"
    if has_hooks(norm):
        return "it has hooks, which would be lost"
    if isinstance(norm, _FROZEN):
        return None
    if norm.training:
        return "batch norm in training mode takes its statistics over the batch; call model.eval() first"
    if norm.running_mean is None:
        return "batch norm without running statistics takes them over the batch"
    return None


def takes(conv: nn.Module) -> bool:
    """Whether a batch norm may be folded into a module: a convolution that uses its weight as it is."""
    plain = any(type(conv).forward is known.forward for known in _FOLDABLE)
    return plain and isinstance(conv._parameters.get("weight"), nn.Parameter) and not has_hooks(conv)


def has_hooks(module: nn.Module) -> bool:
    """Whether a module calls functions of somebody's before or after its forward."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


@torch.no_grad()
def fold(conv: _ConvNd, norm: nn.Module) -> None:
    """Put a batch norm into the convolution before it, in place: weight and bias of the two in a row.

    W' = scale * W and b' = shift + scale * b, computed in float64.
    """
    scale, shift = _scale_shift(norm)
    weight = conv.weight.double()
    outputs = weight.unflatten(0, (conv.groups, -1)) if isinstance(conv, _ConvTransposeNd) else weight
    if isinstance(conv, _ConvTransposeNd):  # (G, I, O, *kernel): the outputs are the third axis
        by_output = scale.view(conv.groups, 1, -1, *(1,) * (weight.ndim - 2))
    else:
        by_output = scale.view(-1, *(1,) * (weight.ndim - 1))
    bias = shift if conv.bias is None else shift + scale * conv.bias.double()
    dtype, learns = conv.weight.dtype, conv.weight.requires_grad
    weight = (outputs * by_output).reshape(weight.shape)
    conv.weight = nn.Parameter(weight.to(dtype), requires_grad=learns)
    conv.bias = nn.Parameter(bias.to(dtype), requires_grad=learns)


def affine(norm: Any) -> nn.Module:
    """The same batch norm as a scale and shift for each channel, then its activation if it has one."""
    scale, shift = _scale_shift(norm)
    like = next(x for x in (norm.weight, norm.running_mean) if x is not None)
    kept = TokenAffine(scale.to(like.dtype), shift.to(like.dtype))
    return nn.Sequential(kept.requires_grad_(like.requires_grad), *after(norm))


def after(norm: Any) -> list[nn.Module]:
    """What timm's batch norms do behind the norm: dropout and activation."""
    names = ("drop", "act") if isinstance(norm, _WITH_ACTIVATION) else ()
    return [getattr(norm, name) for name in names if hasattr(norm, name)]


@torch.no_grad()
def _scale_shift(norm: Any) -> tuple[Tensor, Tensor]:
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    gamma = torch.ones_like(mean) if norm.weight is None else norm.weight.double()
    beta = torch.zeros_like(mean) if norm.bias is None else norm.bias.double()
    scale = gamma / torch.sqrt(variance + norm.eps)
    return scale, beta - scale * mean
