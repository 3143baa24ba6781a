"""A copy of a model in which nothing cancels: a zero gradient means that nothing is connected.

Weights are drawn positive and scaled by fan-in, biases and shifts are zero, and batch norms are reset. Max
pools become average pools, and a norm over tokens adds the mean of all tokens. With a small positive input
every ReLU is active and no gate saturates. The copy is in float64 and evaluation mode.

>>> positive_copy(nn.Conv2d(1, 1, 3)).weight.min() > 0
tensor(True)
"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from vision.convert import AttentionLayer
from vision.convert.modules import named_modules
from vision.fields import Field

# Norms whose statistics run over the tokens of an image, so that every output depends on every token.
_OVER_TOKENS = (nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


def positive_copy(model: nn.Module) -> nn.Module:
    """Return the positive copy of a model, on the CPU.

    Raises:
        ValueError: the model has a max pool with dilation.
    """
    copy = deepcopy(model).cpu().double().eval()
    generator = torch.Generator().manual_seed(0)
    for name, parameter in copy.named_parameters():
        parameter.requires_grad_(False)
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        values = torch.rand(parameter.shape, generator=generator, dtype=torch.double) + 0.5
        parameter.copy_(torch.zeros_like(values) if name.endswith(("bias", "shift")) else values / fan_in)
    for name, module in named_modules(copy).items():
        if getattr(module, "running_mean", None) is not None:
            module.reset_running_stats()  # type: ignore[operator]
        if isinstance(module, _OVER_TOKENS) and name:
            copy.set_submodule(name, _AddMean())
        if type(module) is nn.MaxPool2d and name:
            copy.set_submodule(name, _average_pool(module))
    return copy


class _AddMean(nn.Module):
    """(B, C, *size) -> (B, C, *size): adds the mean over tokens and channels, in place of a norm."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *size) -> (B, C, *size)."""
        return x + x.mean(tuple(range(1, x.ndim)), keepdim=True)


def _average_pool(pool: nn.MaxPool2d) -> nn.Module:
    if pool.dilation not in (1, (1, 1)):
        raise ValueError(
            f"gradient_support does not support max pools with dilation, got {pool}; use composed_field"
        )
    return nn.AvgPool2d(pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode)


def positive_copy_by_fields(model: nn.Module) -> nn.Module:
    """Return a positive copy in which every module with a field computes the mean over that field.

    Raises:
        ValueError: no module has a field.
    """
    copy = positive_copy(model)
    fields = fields_of(copy)
    if not fields:
        raise ValueError(
            f"composed fields need layers with a field, got {type(model).__name__} without any; "
            "convert it first: vision.as_attention(model, input_size)"
        )
    for name, field in fields.items():
        module: Any = copy.get_submodule(name)
        if isinstance(module, AttentionLayer):
            module.explicit = False
            module.fast = partial(_mean_over_field, module.fast, field, True)  # type: ignore[method-assign]
        else:
            module.forward = partial(_mean_over_field, module.forward, field, False)
    return copy


def fields_of(model: nn.Module) -> dict[str, Field]:
    """Return the fields of a model's modules by name."""
    named = ((name, getattr(module, "field", None)) for name, module in named_modules(model).items())
    return {name: field for name, field in named if isinstance(field, Field)}


def _mean_over_field(
    forward: Callable[..., Tensor], field: Field, images_first: bool, x: Tensor, *values: object
) -> Tensor:
    """(B, C, rows, cols) or (B, N, C) -> forward's shape: the mean over keys and channels."""
    with torch.no_grad():
        shape = forward(x, *values).shape
    tokens = x.flatten(2).transpose(1, 2) if images_first else x
    if tokens.shape[1] != field.keys.size:
        raise ValueError(
            f"the field is for {field.keys}, got {tokens.shape[1]} tokens; convert for this input_size"
        )
    # (B, N): one number per token. The weights differ by channel, or a layer norm would make it 0.
    mixed = (tokens * channel_weights(tokens.shape[2])).mean(-1)
    if field.is_full:
        mean = mixed.mean(1, keepdim=True).expand(-1, field.queries.size)
    else:
        index, valid = field.neighbours()
        mean = (mixed[:, index] * valid).mean(-1)
    out = mean[..., None] * channel_weights(shape[1] if images_first else shape[2])
    return out.transpose(1, 2).reshape(shape) if images_first else out


def channel_weights(count: int) -> Tensor:
    """Return (count) numbers from 0.5 to 1.5, always the same and all different."""
    return torch.rand(count, generator=torch.Generator().manual_seed(count), dtype=torch.double) + 0.5
