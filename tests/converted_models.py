"""Models as training leaves them, and how far a converted one is from its original."""

from typing import Any

import timm
import torch
from torch import nn

import vision
from vision.convert import set_explicit_attention

# Converted models and their layers have attributes that nn.Module does not declare.
as_attention: Any = vision.as_attention
create_model: Any = timm.create_model


def trained(model: nn.Module, seed: int = 0) -> Any:
    """A model in evaluation mode whose batch norms have statistics and scales as training leaves them."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            drawn = torch.rand(4, module.num_features, generator=generator)
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.copy_(drawn[0] - 0.5)
            module.running_var.copy_(drawn[1] + 0.5)
            if module.affine:
                module.weight.data.copy_(drawn[2] + 0.5)
                module.bias.data.copy_(drawn[3] - 0.5)
    return model.eval()


def relative(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return float(((got - wanted).abs().max() / wanted.abs().max()).detach())


def randomized(model: nn.Module) -> Any:
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                assert tensor is not None
                tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return model.double().eval()


def assert_equal(model: nn.Module, converted: nn.Module, x: torch.Tensor, **arguments):
    for explicit in (False, True):
        set_explicit_attention(converted, explicit)
        torch.testing.assert_close(
            converted(x, **arguments), model(x, **arguments), rtol=0, atol=1e-11, equal_nan=True
        )
