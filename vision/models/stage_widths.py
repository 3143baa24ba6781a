"""Widths of the stages of a CNN for a given number of parameters, for timm's ResNets and ConvNeXts.

>>> stage_widths("resnet18_small", 60_000, in_chans=3, num_classes=10)
{'channels': (5, 9, 19, 37), 'stem_width': 3}
"""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from vision.dynamic import Arguments
from vision.models.bounds import check_bounds
from vision.models.small_images import build_on_meta
from vision.models.widths import TOLERANCE

STEPS = 12
NAMES = ("channels", "dims")  # the arguments of timm's constructors for the widths of the stages


def stage_widths(name: str, params: int, **arguments: Any) -> Arguments:
    """Return arguments that give the model `name` `params` parameters, within 2 percent.

    The stages keep their proportions. The stem of a ResNet follows its first stage, except in timm's plain
    ones, resnet18 to resnet152, where the stem always has 64 channels.

    Args:
        name: a model in timm's registry whose constructor accepts the widths of its stages.
        params: number of parameters.
        arguments: the model's other arguments.

    Raises:
        ValueError: params is not a positive integer; the constructor does not accept widths; they are given
            together with params; or no width gives that number.
    """
    check_bounds(params=params)
    signature = _signature(name, arguments)
    known = [width for width in NAMES if width in signature]
    if not known:
        raise ValueError(
            f"params={params} determines the widths of a backbone of this suite, or of a model of timm whose "
            f"constructor takes {' or '.join(NAMES)}; {name!r} takes neither"
        )
    if known[0] in arguments:
        raise ValueError(
            f"params determines {known[0]}; pass one, not both, got {params=}, "
            f"{known[0]}={arguments[known[0]]}"
        )
    shape = signature[known[0]].default
    has_stem = "stem_width" in signature and "stem_width" not in arguments

    def widths(first: float) -> Arguments:
        stages = tuple(max(1, round(first * width / shape[0])) for width in shape)
        # The stem is as wide as the first stage, as in the model; timm's setting is half of that.
        return {known[0]: stages} | ({"stem_width": (stages[0] + 1) // 2} if has_stem else {})

    reached, solved = _nearest(
        params, float(shape[0]), widths, count=lambda found: _count(name, arguments | found)
    )
    if abs(reached - params) > TOLERANCE * params:
        raise ValueError(
            f"no width gives {name!r} {params} parameters within {TOLERANCE:.0%}, got {params=}; "
            f"the nearest model has {reached}"
        )
    return solved


def _nearest(
    params: int, first: float, widths: Callable[[float], Arguments], *, count: Callable[[Arguments], int]
) -> tuple[int, Arguments]:
    """Return the widths whose number of parameters is nearest to `params`, and this number.

    Args:
        params: the number to come near.
        first: width of the first stage to start from.
        widths: the widths of all stages for that of the first.
        count: the number of parameters with such widths.
    """
    step = 1.0
    counts: dict[str, int] = {}  # neighbouring steps are often rounded to the same widths
    tried: dict[int, tuple[int, Arguments]] = {}
    for _ in range(STEPS):
        solved = widths(first)
        if str(solved) not in counts:
            counts[str(solved)] = count(solved)
        reached = counts[str(solved)]
        tried[abs(reached - params)] = (reached, solved)
        # Parameters grow with the square of the width; smaller and smaller steps settle the rounding.
        first, step = max(1.0, first * (params / reached) ** (step / 2)), 0.9 * step
    return tried[min(tried)]


def _signature(name: str, arguments: Arguments) -> dict[str, inspect.Parameter]:
    """Return the parameters of the constructors of the model's class and of its bases."""
    parameters: dict[str, inspect.Parameter] = {}
    for base in type(_built(name, arguments)).__mro__:
        parameters = dict(inspect.signature(base.__init__).parameters) | parameters
    return parameters


def _count(name: str, arguments: Arguments) -> int:
    return sum(weight.numel() for weight in _built(name, arguments).parameters())


def _built(name: str, arguments: Arguments) -> nn.Module:
    try:
        return build_on_meta(name, **arguments)
    except TypeError as error:
        raise ValueError(f"{name!r} cannot be built with {arguments}: {error}") from error
