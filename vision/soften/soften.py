"""A converted model set free: its kernels become attention that learns where, and at what, to look.

>>> free = soften(as_attention(model), alpha=4.0)
>>> {name: layer.centres for name, layer in released_layers(free).items()}  # doctest: +SKIP
"""

import copy
from fnmatch import fnmatch

from torch import nn

from vision.soften.soft_convolution import SoftConvolution, soft_convolution, symmetric_padding


def soften(model: nn.Module, alpha: float = 8.0, *, window: int | None = 1, only: str = "*") -> nn.Module:
    """A copy of a converted model whose kernels may learn where, and at what, to look.

    Every layer whose `to_conv()` is a zero-padded nn.Conv2d with a kernel larger than 1 x 1 becomes a
    `SoftConvolution`, which starts within `error_bound` of it; all others stay, so those that pad unevenly
    or get their weights with each call. A layer that stands in several places stays one layer.

    Args:
        model: with layers that offer `to_conv()`.
        alpha, window: as in `soft_convolution`; the gradient of a centre fades as alpha exp(-alpha).
        only: which layers, by a pattern of their names, as "blocks.*" or "layer4.*".

    Raises:
        ValueError: no layer can be released, or none of those named.
    """
    model, made, above = copy.deepcopy(model), {}, ()
    for name, layer in list(model.named_modules(remove_duplicate=False)):
        if name.startswith(above):  # inside a layer that is gone
            continue
        if fnmatch(name, only) and layer not in made and (conv := _releasable(layer)) is not None:
            made[layer] = soft_convolution(conv, alpha, window=window).train(layer.training)
        if name and layer in made:
            model.set_submodule(name, made[layer])
            above = (*above, f"{name}.")
    if not made:
        named = "" if only == "*" else f" among those named {only!r}"
        raise ValueError(
            f"release needs{named} a converted layer whose to_conv() is a zero-padded nn.Conv2d with a "
            f"kernel larger than 1 x 1, got {type(model).__name__} without any; convert the model first"
        )
    return made.get(model, model)


def softened_layers(model: nn.Module) -> dict[str, SoftConvolution]:
    """() -> the soft convolutions of a model by name, for a look at their centres and widths."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, SoftConvolution)}


def _releasable(layer: nn.Module) -> nn.Conv2d | None:
    if isinstance(layer, SoftConvolution) or not hasattr(layer, "to_conv"):
        return None
    if getattr(layer, "weight", layer) is None:  # its weights come with each call
        return None
    conv = layer.to_conv()  # type: ignore[operator]
    if not isinstance(conv, nn.Conv2d) or conv.padding_mode != "zeros" or symmetric_padding(conv) is None:
        return None
    return conv if max(conv.kernel_size) > 1 else None
