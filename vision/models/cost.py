"""What a model costs: parameters and multiply-adds of one image.

>>> cost(torch.nn.Linear(3, 2), (3,))
Cost(params=8, macs=6)
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


class Cost(NamedTuple):
    """Size of a model and the work of its forward pass on one image.

    Attributes:
        params: trainable numbers.
        macs: multiply-adds in matrix products, convolutions and attention; an attention field counts
            only the pairs that it allows. Biases, norms and activations are left out, as is usual.
    """

    params: int
    macs: int


def cost(model: nn.Module, input_shape: tuple[int, ...]) -> Cost:
    """Parameters and multiply-adds of `model` on one input of `input_shape`, (C, H, W) for images."""
    params = sum(p.numel() for p in model.parameters() if p.requires_grad)
    like = next(model.parameters())
    training = model.training
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *input_shape, device=like.device, dtype=like.dtype))
    model.train(training)
    return Cost(params, counter.get_total_flops() // 2)
