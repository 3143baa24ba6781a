"""The shape of a model's images, from its configuration and `input_size`.

>>> input_shape(nn.Sequential(nn.Conv2d(1, 8, 3)), 28)
(1, 28, 28)
"""

from typing import cast

from torch import Tensor, nn
from torch.nn.modules import conv, pooling

from vision.convert.layers.geometry import ConvNd
from vision.dynamic import JsonObject
from vision.text import first_line


def input_shape(model: nn.Module, input_size: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """Return (C, *size) of a model's images, with what `input_size` leaves open taken from the model.

    Args:
        model: the model.
        input_size: one number for square images, (rows, cols), (channels, *size), or None for the model's
            own, as in `as_attention`.

    Raises:
        ValueError: the number of channels is unknown, because neither the model nor input_size gives it.
    """
    config: JsonObject = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None) or {}
    known: tuple[int, ...] | None = config.get("input_size")
    first = next((m for m in model.modules() if isinstance(m, ConvNd)), None)
    dims = next((_dimensions(m) for m in model.modules() if _dimensions(m)), 2)
    if input_size is None and known:
        return tuple(known)
    if input_size is None:
        input_size = 224 if dims == 2 else ()
    one = not isinstance(input_size, (tuple, list))
    size = (input_size,) * dims if one else tuple(input_size)
    valid = all(type(cast(object, number)) is int and number > 0 for number in size)
    if valid and len(size) != dims and len(size) in (2, 3, 4):
        return size  # (channels, *size): the forward pass shows whether the model accepts it
    channels: int | None = known[0] if known else getattr(first, "in_channels", None)
    if len(size) != dims or channels is None or not valid:
        sizes = f"{dims} numbers, " if dims > 1 else ""
        raise ValueError(
            f"input_size must be one number, {sizes}or (channels, *size) for this model, got {input_size!r}"
        )
    return (channels, *size)


def does_not_run(model: nn.Module, images: Tensor, error: Exception) -> ValueError:
    """Return the error that a model does not run on images (B, C, H, W), with its own reason."""
    return ValueError(
        f"{type(model).__name__} does not run on images {tuple(images.shape[1:])} (C, H, W): "
        f"{type(error).__name__}: {first_line(error)}"
    )


def _dimensions(module: nn.Module) -> int:
    """Return 1 to 3 for a convolution or pool of torch's or a class derived from one, and 0 otherwise."""
    names = [c.__name__ for c in type(module).__mro__ if c.__module__ in (conv.__name__, pooling.__name__)]
    return next((int(name[-2]) for name in names if name[-2:] in ("1d", "2d", "3d")), 0)
