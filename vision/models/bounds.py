"""The bounds of the numbers that build a model.

>>> check_bounds(in_chans=0)
Traceback (most recent call last):
ValueError: in_chans must be an integer of at least 1, got 0
"""

from numbers import Integral

LEAST = {"in_chans": 1, "num_classes": 0, "embed_dim": 1, "depth": 0, "params": 1}
RATES = ("drop_rate", "drop_path_rate")


def check_bounds(**arguments: object) -> None:
    """Raise a ValueError for the first argument that is out of bounds; None, and others, are right."""
    for name, least in LEAST.items():
        value = arguments.get(name)
        wrong = isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least
        if value is not None and wrong:
            raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    for name in RATES:
        rate = arguments.get(name)
        if rate is not None and not (isinstance(rate, int | float) and 0 <= rate <= 1):
            raise ValueError(f"{name} must be a number from 0 to 1, got {rate!r}")
