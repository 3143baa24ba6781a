"""Soften a converted model: its kernels become attention that learns where to attend.

>>> import torch
>>> from vision import as_attention
>>> cnn = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU())
>>> model = soften(as_attention(cnn, 16), alpha=4.0)
>>> {name: tuple(layer.centres.shape) for name, layer in softened_layers(model).items()}
{'0': (9, 2)}
"""

import copy
from collections.abc import Callable
from fnmatch import fnmatch

from torch import nn

from vision.convert.modules import named_modules
from vision.soften.geometry import symmetric_padding
from vision.soften.soft_convolution import soft_convolution
from vision.soften.soft_layer import SoftConvolution


def soften(model: nn.Module, alpha: float = 8.0, *, window: int | None = 1, only: str = "*") -> nn.Module:
    """Return a copy of a converted model in which the kernels are soft convolutions.

    Every layer whose `to_conv()` is a zero-padded nn.Conv2d with a kernel larger than 1 x 1 becomes a
    `SoftConvolution`, which starts within `error_bound` of it. All other layers stay. Those are, for example,
    layers with uneven padding and layers that get their weights with each call. A layer that is used in
    several positions stays one shared layer.

    Args:
        model: a model whose layers have a method `to_conv()`, such as the result of `as_attention`.
        alpha, window: as in `soft_convolution`. The gradient of a centre fades as alpha exp(-alpha).
        only: pattern for the names of the layers to soften, such as "blocks.*" or "layer4.*".

    Raises:
        ValueError: no layer can be softened, or none of those that match `only`.
    """
    model = copy.deepcopy(model)
    softened: dict[nn.Module, SoftConvolution] = {}
    replaced_prefixes: tuple[str, ...] = ()
    for name, layer in named_modules(model, remove_duplicate=False).items():
        if name.startswith(replaced_prefixes):  # inside a layer that was replaced
            continue
        if fnmatch(name, only) and layer not in softened and (conv := _plain_conv(layer)) is not None:
            softened[layer] = soft_convolution(conv, alpha, window=window).train(layer.training)
        if name and layer in softened:
            model.set_submodule(name, softened[layer])
            replaced_prefixes = (*replaced_prefixes, f"{name}.")
    if not softened:
        matching = "" if only == "*" else f" whose name matches {only!r}"
        raise ValueError(
            f"soften needs a converted layer{matching} whose to_conv() is a zero-padded nn.Conv2d with a "
            f"kernel larger than 1 x 1, got {type(model).__name__} without one; convert the model first"
        )
    return softened.get(model, model)


def softened_layers(model: nn.Module) -> dict[str, SoftConvolution]:
    """Return the soft convolutions of a model by name, for example to read their centres."""
    return {name: m for name, m in named_modules(model).items() if isinstance(m, SoftConvolution)}


def _plain_conv(layer: nn.Module) -> nn.Conv2d | None:
    """Return the convolution that a layer can be softened from, or None."""
    to_conv: Callable[[], nn.Module] | None = getattr(layer, "to_conv", None)
    if to_conv is None or isinstance(layer, SoftConvolution):
        return None
    if getattr(layer, "weight", layer) is None:  # its weights come with each call
        return None
    conv = to_conv()
    if not isinstance(conv, nn.Conv2d) or conv.padding_mode != "zeros" or symmetric_padding(conv) is None:
        return None
    return conv if max(conv.kernel_size) > 1 else None
