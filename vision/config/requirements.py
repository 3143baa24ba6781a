"""What a single setting can be required to be; each function raises a ValueError that names the setting.

>>> require_at_least("training.steps", 0, 1)
Traceback (most recent call last):
    ...
ValueError: training.steps must be at least 1, got 0
"""

import math
from typing import cast


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Require one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def require_at_least(name: str, value: float | None, minimum: float) -> None:
    """Require None, or a number from `minimum` on."""
    if value is not None and not value >= minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")


def require_at_most(name: str, value: float | None, maximum: float, why: str = "") -> None:
    """Require None, or a number up to `maximum`; `why` follows it in the message."""
    if value is not None and not value <= maximum:
        raise ValueError(f"{name} must be at most {maximum}{why}, got {value}")


def require_above_zero(name: str, value: float | None) -> None:
    """Require None, or a number above 0."""
    if value is not None and not value > 0:
        raise ValueError(f"{name} must be above 0, got {value}")


def require_fraction(name: str, value: float | None) -> None:
    """Require None, or a number in [0, 1)."""
    if value is not None and not 0 <= value < 1:
        raise ValueError(f"{name} must be from 0 up to but not including 1, got {value}")


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
