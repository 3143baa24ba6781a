"""Numbers for settings that are true or false, which OmegaConf would take without a word.

>>> check_flag("data.augment.flip", 2)
Traceback (most recent call last):
ValueError: data.augment.flip must be true or false, got 2
"""

from functools import cache

from vision.config import setting_types


def check_flag(name: str, value: object) -> None:
    """Refuse numbers for what is true or false, but for 0 and 1.

    Raises:
        ValueError: the message names the setting.
    """
    if isinstance(value, int | float) and value not in (0, 1) and name in _flags():
        raise ValueError(f"{name} must be true or false, got {value}")


@cache
def _flags() -> set[str]:
    return {name for name, kind in setting_types() if kind is bool}
