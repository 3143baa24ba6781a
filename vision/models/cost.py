"""The cost of a model: its parameters, and its multiply-adds for one image.

>>> cost(torch.nn.Linear(3, 2), (3,))
Cost(params=8, macs=6)
"""

import warnings
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vision.attention import MultiHeadAttention
from vision.mixers import ConvAttention, GraphAttention
from vision.models.modes import evaluating


def _attention_flops(
    q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...], *_: object, **__: object
) -> int:
    """Return the operations of q k^T and of the weighted sum, two for each multiply-add."""
    return 2 * q[0] * q[1] * q[2] * k[2] * (q[3] + v[3])


# torch 2.11 has no formula for its fused attention on a CPU; later versions have the same.
_ATTENTION_ON_CPU: dict[Any, Any] = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops
}


class Cost(NamedTuple):
    """Size of a model and the work of its forward pass on one image.

    Attributes:
        params: number of trainable parameters.
        macs: multiply-adds in matrix products, convolutions and attention. Attention inside a field counts
            the pairs that the field allows; a convolution as attention counts as the convolution. Biases,
            norms and activations are left out, as is usual.
    """

    params: int
    macs: int


def cost(model: nn.Module, input_shape: tuple[int, ...]) -> Cost:
    """Return the parameters and multiply-adds of a model for one input of shape `input_shape`."""
    params = sum(p.numel() for p in model.parameters() if p.requires_grad)
    like = next(model.parameters())
    counter = FlopCounterMode(display=False, custom_mapping=_ATTENTION_ON_CPU)
    with _countable(model), torch.no_grad(), counter:
        model(torch.zeros(1, *input_shape, device=like.device, dtype=like.dtype))
    attention = [m for m in model.modules() if isinstance(m, MultiHeadAttention)]
    return Cost(params, counter.get_total_flops() // 2 - sum(_masked_macs(m) for m in attention))


@contextmanager
def _countable(model: nn.Module) -> Generator[None]:
    """Use evaluation mode, and for every attention a backend whose operations the counter knows."""
    before: list[tuple[Any, ...]] = [
        (m, getattr(m, "backend", None), getattr(m, "explicit", None)) for m in model.modules()
    ]
    for module in model.modules():
        if isinstance(module, MultiHeadAttention):
            by_image = isinstance(module, GraphAttention) and module.field is None
            module.backend = "gather" if by_image else "dense"
        elif isinstance(module, ConvAttention):
            module.explicit = False
    try:
        recurs = any(isinstance(m, nn.RNNBase) for m in model.modules())
        with evaluating(model), _plain_recurrence() if recurs else nullcontext():
            yield
    finally:
        for module, backend, explicit in before:
            if isinstance(module, MultiHeadAttention):
                module.backend = backend
            elif isinstance(module, ConvAttention):
                module.explicit = explicit


@contextmanager
def _plain_recurrence() -> Generator[None]:
    """Turn off oneDNN and cuDNN, whose recurrences hide their multiply-adds from the counter."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="TF32 acceleration")
        with torch.backends.mkldnn.flags(enabled=False), torch.backends.cudnn.flags(enabled=False):
            yield


def _masked_macs(attention: MultiHeadAttention) -> int:
    """Return the multiply-adds of the dense backend for pairs outside the field: scores and weighted sums."""
    if attention.field is None:
        return 0
    outside = int((~attention.field.mask()).sum())
    return 2 * outside * attention.num_heads * attention.head_dim
