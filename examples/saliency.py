"""Saliency of a ResNet that was converted to attention: the same map, and who reads the pixel.

$ python examples/saliency.py
"""
# pyright: reportUnknownMemberType=false

import timm
import torch
from torch import Tensor, nn

from vision import as_attention
from vision.convert import attention_layers

torch.manual_seed(0)
model = timm.create_model("resnet10t").eval()
attention = as_attention(model, 64)
images = torch.randn(1, 3, 64, 64)


def saliency(model: nn.Module) -> Tensor:
    """Return (H, W): the largest gradient of the highest logit over the channels of each pixel."""
    x = images.clone().requires_grad_()
    model(x).max().backward()
    assert x.grad is not None
    return x.grad[0].abs().amax(dim=0)


maps = saliency(model), saliency(attention)
print(f"saliency differs by {(maps[0] - maps[1]).abs().max() / maps[0].max():.1e} of its maximum")
row, col = divmod(int(maps[1].argmax()), 64)
name, layer = next(attention_layers(attention))
readers = layer.field.mask()[:, row * 64 + col].sum()
print(f"the most salient pixel, in row {row} and column {col}, is read by {int(readers)} queries of {name}")
