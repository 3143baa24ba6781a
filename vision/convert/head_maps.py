"""The linear maps of an attention layer's heads: from tokens to values, and from values to the output.

>>> from vision.mixers import SelfAttention
>>> from vision.patches import Grid
>>> head_maps(SelfAttention(64, Grid(4, 4), num_heads=2)).values.shape
torch.Size([2, 32, 64])
"""

from dataclasses import dataclass
from typing import Any

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


def head_maps(module: nn.Module) -> HeadMaps | None:
    """Return the maps of this suite's multi-head mixers and of timm's attention, or None for other modules.

    timm's attention with a norm or a gate before the output is not linear in its values and has none.
    """
    layer: Any = module
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


def _maps(weight: Tensor, bias: Tensor | None, proj: Any, heads: int) -> HeadMaps:
    values = torch.unflatten(weight.detach(), 0, (heads, -1))
    own = (
        values.new_zeros(values.shape[:2]) if bias is None else torch.unflatten(bias.detach(), 0, (heads, -1))
    )
    outputs: Tensor = proj.weight.detach()
    last = outputs.new_zeros(len(outputs)) if proj.bias is None else proj.bias.detach()
    return HeadMaps(values, own, torch.unflatten(outputs, 1, (heads, -1)), last)
