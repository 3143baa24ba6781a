"""Batch norm in evaluation mode: folded into the convolution before it, or kept as a scale and shift.

torch.nn.utils.fusion.fuse_conv_bn_weights is not used: it computes in the model's precision, and it fails
for transposed convolutions with groups.

>>> conv, norm, x = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8).eval(), torch.randn(1, 3, 8, 8)
>>> before = norm(conv(x))
>>> fold(conv, norm)
>>> torch.allclose(conv(x), before, atol=1e-5)
True
"""

from typing import Any, cast

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d, FrozenBatchNormAct2d, SyncBatchNormAct
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torchvision.ops import FrozenBatchNorm2d  # pyright: ignore[reportMissingTypeStubs]

from vision.convert.layers.geometry import ConvNd, ConvTransposeNd
from vision.convert.modules import has_forward_of, hooks

_FOLDABLE = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    Conv2dSame,
)
_FROZEN = (FrozenBatchNorm2d, FrozenBatchNormAct2d)
_WITH_ACTIVATION = (BatchNormAct2d, SyncBatchNormAct, FrozenBatchNormAct2d)
_KNOWN = (_BatchNorm, nn.SyncBatchNorm, *_FROZEN, *_WITH_ACTIVATION)


class TokenAffine(nn.Module):
    """(B, C, *size) -> (B, C, *size): a scale and a shift per channel, the same for every token.

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
    """Return whether a module is a batch norm, frozen or not, with or without an activation after it."""
    return isinstance(module, (_BatchNorm, *_FROZEN))


def why_not(norm: nn.Module) -> str | None:
    """Return why a batch norm is not an affine map of each token, or None if it is."""
    if not has_forward_of(norm, *_KNOWN):
        return "a batch norm with an overridden forward"
    if hooks(norm):
        return "it has hooks, which would be lost"
    if isinstance(norm, _FROZEN):
        return None
    if norm.training:
        return "batch norm in training mode uses the statistics of the batch; call model.eval() first"
    if getattr(norm, "running_mean", None) is None:
        return "batch norm without running statistics uses those of the batch"
    return None


def can_fold(conv: nn.Module) -> bool:
    """Return whether a batch norm may be folded into a module, a convolution that uses its own weight."""
    own: dict[str, Tensor | None] = cast(Any, conv)._parameters
    return has_forward_of(conv, *_FOLDABLE) and own.get("weight") is not None and not hooks(conv)


@torch.no_grad()
def fold(conv: ConvNd, norm: nn.Module) -> None:
    """Replace the weight and bias of a convolution by those of convolution and batch norm, in place.

    W' = scale * W and b' = shift + scale * b, computed in float64.
    """
    scale, shift = _scale_shift(norm)
    weight = conv.weight.double()
    if isinstance(conv, ConvTransposeNd):  # (G * I, O, *kernel), where the outputs are the second axis
        by_output = scale.view(conv.groups, 1, -1).expand(-1, weight.shape[0] // conv.groups, -1)
        by_output = by_output.reshape(weight.shape[0], -1, *(1,) * (weight.ndim - 2))
    else:
        by_output = scale.view(-1, *(1,) * (weight.ndim - 1))
    bias = shift if conv.bias is None else shift + scale * conv.bias.double()
    dtype, learns = conv.weight.dtype, conv.weight.requires_grad
    conv.weight = nn.Parameter((weight * by_output).to(dtype), requires_grad=learns)
    conv.bias = nn.Parameter(bias.to(dtype), requires_grad=learns)


def affine(norm: nn.Module) -> nn.Module:
    """Return a batch norm as a scale and shift per channel, followed by its activation if it has one."""
    scale, shift = _scale_shift(norm)
    like: Tensor = next(tensor for tensor in (norm.weight, norm.running_mean) if isinstance(tensor, Tensor))
    layer = TokenAffine(scale.to(like.dtype), shift.to(like.dtype))
    return nn.Sequential(layer.requires_grad_(like.requires_grad), *after(norm))


def after(norm: nn.Module) -> list[nn.Module]:
    """Return what timm's batch norms apply after the norm: dropout and activation."""
    names = ("drop", "act") if isinstance(norm, _WITH_ACTIVATION) else ()
    return [norm.get_submodule(name) for name in names if hasattr(norm, name)]


@torch.no_grad()
def _scale_shift(norm: Any) -> tuple[Tensor, Tensor]:
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    gamma = torch.ones_like(mean) if norm.weight is None else norm.weight.double()
    beta = torch.zeros_like(mean) if norm.bias is None else norm.bias.double()
    scale = gamma / torch.sqrt(variance + norm.eps)
    return scale, beta - scale * mean
