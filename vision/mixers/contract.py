"""What every token mixer must be, also one of your own: its arguments, and the tokens that it returns.

>>> check_mixed(torch.zeros(2, 1, 16), torch.zeros(2, 9, 16), "Mean")
Traceback (most recent call last):
ValueError: mixer Mean must return tokens (2, 9, 16), as it gets them, got shape (2, 1, 16)
"""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import cast

import torch
from torch import Tensor

from vision.argument_types import shown
from vision.attention.options import option_names

_BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def check_signatures(name: str, mixer: Callable[..., object]) -> None:
    """Raise a ValueError unless a class takes (dim, grid, *, device, dtype), and its forward the tokens.

    Args:
        name: of the mixer, for the message.
        mixer: its class, or a function that returns one.
    """
    if missing := {"device", "dtype"} - set(option_names(mixer)):
        raise ValueError(
            f"mixer {name!r} must take the keyword-only arguments device and dtype, "
            f"{mixer.__qualname__} has no argument {', '.join(sorted(missing))}"
        )
    if not _takes(mixer, 2):
        raise ValueError(
            f"mixer {name!r} must take the width of a token and the grid, and its options as keyword-only "
            f"arguments, such as (dim, grid, *, device=None, dtype=None), got {signature(mixer)}"
        )
    forward = getattr(mixer, "forward", None)
    if forward is not None and not _takes(forward, 2):  # self is the first
        raise ValueError(f"forward of mixer {name!r} must take the tokens alone, got {signature(forward)}")


def check_mixed(mixed: Tensor, x: Tensor, mixer: str) -> Tensor:
    """(B, N, C) -> (B, N, C): return what a mixer has made of the tokens of a block, as it is.

    Without this check, tokens of another shape may be broadcast to that of the residual.

    Args:
        mixed: what the mixer returned.
        x: tokens (B, N, C) of the residual, to which it is added.
        mixer: name of the mixer's class.

    Raises:
        ValueError: it is not a tensor, or has another shape, or a dtype that would change the residual's.
    """
    if torch.compiler.is_exporting() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return mixed
    if not isinstance(cast(object, mixed), Tensor) or mixed.shape != x.shape:
        got = f"shape {tuple(mixed.shape)}" if isinstance(cast(object, mixed), Tensor) else shown(mixed)
        raise ValueError(f"mixer {mixer} must return tokens {tuple(x.shape)}, as it gets them, got {got}")
    if mixed.dtype != x.dtype and not torch.is_autocast_enabled(x.device.type):
        widened = torch.promote_types(mixed.dtype, x.dtype) != x.dtype
        if widened or not mixed.is_floating_point():
            raise ValueError(f"mixer {mixer} must return tokens of {x.dtype}, got {mixed.dtype}")
    return mixed


def _takes(function: Callable[..., object], count: int) -> bool:
    """Return whether a function can be called with `count` arguments without names."""
    parameters = signature(function).parameters.values()
    by_place = [each for each in parameters if each.kind in _BY_PLACE]
    needed = sum(each.default is each.empty for each in by_place)
    more = any(each.kind is Parameter.VAR_POSITIONAL for each in parameters)
    return needed <= count and (more or count <= len(by_place))
