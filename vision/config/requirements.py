"""What a single setting can be required to be; each function raises a ValueError that names the setting.

>>> require_choice("training.device", "gpu", ("cpu", "cuda"))
Traceback (most recent call last):
    ...
ValueError: training.device must be one of cpu, cuda, got 'gpu'
"""

import inspect
import math
from collections.abc import Callable
from typing import cast

from vision.dynamic import Arguments

FLAGS = (bool, bool | None, "bool", "bool | None", "Optional[bool]")  # as annotations


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Require one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def require_storable(name: str, value: object) -> None:
    """Require what JSON can hold, as the settings of a run are stored in its record."""
    if isinstance(value, dict):
        for key, inner in cast(dict[object, object], value).items():
            require_storable(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(cast(list[object], value)):
            require_storable(f"{name}[{number}]", inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value}")
    elif not (value is None or isinstance(value, str | bool | int | float)):
        kinds = "a number, a text, true, false, null, or lists and dictionaries of these"
        raise ValueError(f"{name} must be {kinds}, got {value!r} ({type(value).__name__})")


def require_flags(name: str, options: Arguments, function: Callable[..., object]) -> None:
    """Require true or false of those options that are flags of the function which takes them.

    >>> require_flags("data.options", {"reverse": 1}, lambda reverse=False: None)
    Traceback (most recent call last):
        ...
    ValueError: data.options.reverse must be true or false, got 1
    """
    parameters = inspect.signature(function).parameters
    for option, value in options.items():
        if option in parameters and _is_flag(parameters[option]) and not isinstance(value, bool | None):
            raise ValueError(f"{name}.{option} must be true or false, got {value!r}")


def _is_flag(parameter: inspect.Parameter) -> bool:
    return isinstance(parameter.default, bool) or parameter.annotation in FLAGS
