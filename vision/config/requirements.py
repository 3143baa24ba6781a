"""What a single setting can be required to be; each function raises a ValueError that names the setting.

>>> require_choice("training.device", "gpu", ("cpu", "cuda"))
Traceback (most recent call last):
    ...
ValueError: training.device must be one of cpu, cuda, got 'gpu'
"""

import math
from typing import cast


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
