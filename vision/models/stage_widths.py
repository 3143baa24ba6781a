"""Widths of a CNN's stages that give it a wanted number of parameters, for timm's ResNets and ConvNeXts.

>>> stage_widths("resnet18_small", 60_000, in_chans=3, num_classes=10)
{'channels': (4, 9, 18, 36), 'stem_width': 4}
"""

import inspect
from typing import Any

from torch import nn

from vision.models.small_images import build_on_meta
from vision.models.widths import TOLERANCE

STEPS = 12
NAMES = ("channels", "dims")  # what timm's constructors call the widths of their stages


def stage_widths(name: str, params: int, **arguments: Any) -> dict[str, Any]:
    """Arguments that give the model `name` `params` parameters within 2 percent, its stages in proportion.

    A ResNet's stem follows its first stage, but for timm's plain ones, resnet18 to resnet152: their stem
    is always 64 wide.

    Args:
        name: a model in timm's registry whose constructor takes the widths of its stages.
        params: number of parameters to meet.
        arguments: the model's other arguments.

    Raises:
        ValueError: the constructor takes no such widths, they are given beside params, or none meets it.
    """
    signature = _signature(name, arguments)
    known = [width for width in NAMES if width in signature]
    if not known:
        raise ValueError(
            f"params={params} solves for the widths of a backbone of ours, or of a model of timm's whose "
            f"constructor takes {' or '.join(NAMES)}; {name!r} takes neither"
        )
    if known[0] in arguments:
        raise ValueError(
            f"params determines {known[0]}; pass one, not both, got {params=}, "
            f"{known[0]}={arguments[known[0]]}"
        )
    shape = signature[known[0]].default
    has_stem = "stem_width" in signature and "stem_width" not in arguments

    def widths(first: float) -> dict[str, Any]:
        stages = tuple(max(1, round(first * width / shape[0])) for width in shape)
        # The stem is as wide as the first stage, as in the model; timm's setting is half of that.
        return {known[0]: stages} | ({"stem_width": (stages[0] + 1) // 2} if has_stem else {})

    first, step, tried = float(shape[0]), 1.0, {}
    for _ in range(STEPS):
        reached = _count(name, arguments | widths(first))
        tried[abs(reached - params)] = (reached, widths(first))
        # Parameters grow with the square of the width, but for what rounding makes of it: ever smaller steps.
        first, step = max(1.0, first * (params / reached) ** (step / 2)), 0.9 * step
    missed = min(tried)
    reached, solved = tried[missed]
    if missed > TOLERANCE * params:
        raise ValueError(
            f"no width gives {name!r} {params} parameters within {TOLERANCE:.0%}, got {params=}; "
            f"the nearest found has {reached}"
        )
    return solved


def _signature(name: str, arguments: dict[str, Any]) -> dict[str, inspect.Parameter]:
    """Parameters of the constructors of the model's class and of those it derives from."""
    found: dict[str, inspect.Parameter] = {}
    for base in type(_built(name, arguments)).__mro__:
        found = dict(inspect.signature(base.__init__).parameters) | found
    return found


def _count(name: str, arguments: dict[str, Any]) -> int:
    return sum(weight.numel() for weight in _built(name, arguments).parameters())


def _built(name: str, arguments: dict[str, Any]) -> nn.Module:
    try:
        return build_on_meta(name, **arguments)
    except TypeError as error:
        raise ValueError(f"{name!r} cannot be built with {arguments}: {error}") from error
