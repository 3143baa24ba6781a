"""The linear maps of an attention layer's heads: from tokens to values, and from values to the output.

>>> from vision.mixers import SelfAttention
>>> from vision.patches import Grid
>>> head_maps(SelfAttention(64, Grid(4, 4), num_heads=2)).values.shape
torch.Size([2, 32, 64])
"""

from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from timm.layers.attention import Attention
from torch import Tensor, nn

from vision.attention import MultiHeadAttention
from vision.mixers.position_attention import PositionAttention


@dataclass(frozen=True)
class HeadMaps:
    """The maps of H heads: y_q = bias + sum_h O_h sum_k A_h[q, k] (V_h x_k + value_bias_h).

    Attributes:
        values: V (H, D, C).
        value_bias: (H, D).
        outputs: O (C_out, H, D).
        bias: (C_out,).
    """

    values: Tensor
    value_bias: Tensor
    outputs: Tensor
    bias: Tensor

    def composed(self) -> Tensor:
        """Return O_h V_h (H, C_out, C) in float64."""
        return torch.einsum("ohd,hdc->hoc", self.outputs.double(), self.values.double())


class SoftLayer(Protocol):
    """(B, C, H, W) -> (B, O, H', W'): a `vision.soften.SoftConvolution`, one head per kernel position."""

    weight: Tensor
    bias: Tensor | None
    centres: Tensor
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    ring: tuple[int, int]
    groups: int


def as_soft(module: nn.Module) -> SoftLayer | None:
    """Return the module if it is a soft convolution, else None.

    Since Python 3.12, isinstance with a protocol does not see the parameters of an nn.Module.
    """
    soft = all(hasattr(module, name) for name in ("weight", "centres", "ring", "groups"))
    return cast(SoftLayer, module) if soft else None


def head_maps(module: nn.Module) -> HeadMaps | None:
    """Return the maps of this suite's multi-head mixers and of timm's attention, or None for other modules.

    timm's attention with a norm or a gate before the output is not linear in its values and has none. Nor has
    a soft convolution with groups, or one whose output has another size than its input.
    """
    layer: Any = module
    if (soft := as_soft(module)) is not None:
        return _of_soft(soft)
    if isinstance(module, PositionAttention):
        return _maps(layer.v.weight, layer.v.bias, layer.proj, layer.num_heads)
    timms = type(module) is Attention and isinstance(layer.norm, nn.Identity) and layer.gate is None
    if not (timms or isinstance(module, MultiHeadAttention)):
        return None
    weight = torch.unflatten(layer.qkv.weight, 0, (3, -1))[2]
    bias = None if layer.qkv.bias is None else torch.unflatten(layer.qkv.bias, 0, (3, -1))[2]
    return _maps(weight, bias, layer.proj, layer.num_heads)


def mean_weights(module: nn.Module, x: Tensor) -> Tensor:
    """x (B, N, C) -> (H, N, N): the attention weights of a module with maps, averaged over the batch."""
    layer: Any = module
    if type(module) is not Attention:
        return layer.attention_map(x).double().mean(0)
    qkv = torch.unflatten(layer.qkv(x), 2, (3, layer.num_heads, layer.head_dim)).permute(2, 0, 3, 1, 4)
    q, k = layer.q_norm(qkv[0]), layer.k_norm(qkv[1])
    return (q @ k.transpose(-2, -1) * layer.scale).softmax(-1).double().mean(0)


def _of_soft(layer: SoftLayer) -> HeadMaps | None:
    """Return the maps of a soft convolution: each head passes the tokens on to its part of the kernel."""
    reach = tuple((k - 1) * d for k, d in zip(layer.kernel_size, layer.dilation, strict=True))
    same_size = layer.stride == (1, 1) and reach == tuple(2 * p for p in layer.padding)
    if layer.groups > 1 or not same_size or layer.ring != layer.padding:
        return None
    outputs = layer.weight.detach().flatten(2).transpose(1, 2)
    out_dim, heads, dim = outputs.shape
    identity = torch.eye(dim, dtype=outputs.dtype, device=outputs.device)
    bias = outputs.new_zeros(out_dim) if layer.bias is None else layer.bias.detach()
    return HeadMaps(identity.expand(heads, -1, -1), outputs.new_zeros(heads, dim), outputs, bias)


def _maps(weight: Tensor, bias: Tensor | None, proj: Any, heads: int) -> HeadMaps:
    values = torch.unflatten(weight.detach(), 0, (heads, -1))
    own = (
        values.new_zeros(values.shape[:2]) if bias is None else torch.unflatten(bias.detach(), 0, (heads, -1))
    )
    outputs: Tensor = proj.weight.detach()
    last = outputs.new_zeros(len(outputs)) if proj.bias is None else proj.bias.detach()
    return HeadMaps(values, own, torch.unflatten(outputs, 1, (heads, -1)), last)
