"""How far a converted model is from the original: layer by layer on the same input, and in its output.

>>> from vision.convert import as_attention
>>> model, images = nn.Conv2d(3, 8, 3).eval(), torch.randn(2, 3, 8, 8)
>>> logits_difference(model, as_attention(model, 8), images).relative < 1e-5
True
"""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from vision.convert.layer_comparison import Difference, LayerCallback, LayerComparison, difference_of, singles
from vision.convert.layers import attention_layers, set_explicit_attention
from vision.models.modes import evaluating


def layer_differences(
    model: nn.Module,
    converted: nn.Module,
    images: Tensor,
    *,
    explicit: bool = True,
    on_layer: LayerCallback | None = None,
) -> dict[str, Difference]:
    """Return for each attention layer, by name, how far it is from the original.

    Both get the input of the original, so that differences do not add up over the layers. A convolution into
    which a batch norm was folded is compared after that norm. A layer for a call of one of torch's functions
    is compared with that call. A shared layer has the largest difference of its runs. Layers that do not run
    are missing.

    Args:
        model: the original.
        converted: the result of `as_attention`.
        images: (B, C, *size). The attention layers process them one by one, which bounds their memory.
        explicit: compare the layers with weights, else as torch's own operations. Modes are restored.
        on_layer: called with name and difference after each layer.
    """
    comparison = LayerComparison(model, converted, on_layer)
    with _measuring(model, converted, explicit), comparison.hooks_on(model), comparison:
        model(images)
    return comparison.differences


def logits_difference(
    model: nn.Module, converted: nn.Module, images: Tensor, *, explicit: bool = True
) -> Difference:
    """Return how far the outputs of the two models are apart, in evaluation mode.

    If there are several outputs, the first tensor is compared.

    Args:
        model: the original.
        converted: the result of `as_attention`.
        images: (B, C, *size), processed one by one.
        explicit: attention with weights, else torch's own operations. Modes are restored.
    """
    with _measuring(model, converted, explicit):
        return difference_of(logits(model, images), logits(converted, images))


def logits(model: nn.Module, images: Tensor) -> Tensor:
    """Return the first tensor of a model's output on images (B, C, *size), computed image by image."""
    return torch.cat([_first_tensor(model(image)) for image in singles(images)])


@contextmanager
def _measuring(model: nn.Module, converted: nn.Module, explicit: bool) -> Generator[None]:
    """Put both in evaluation mode and the attention layers in `explicit`, then restore both."""
    modes = [(layer, layer.explicit) for _, layer in attention_layers(converted)]
    set_explicit_attention(converted, explicit)
    try:
        with evaluating(model, converted), torch.no_grad():
            yield
    finally:
        for layer, before in modes:
            layer.explicit = before


def _first_tensor(output: object) -> Tensor:
    return next(leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor))
