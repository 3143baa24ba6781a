"""The settings of a trial as words of the command line.

>>> as_overrides({"training.lr": 0.001, "model": "vit"})
['training.lr=0.001', 'model=vit']
"""

from collections.abc import Mapping

Parameters = Mapping[str, object]  # values by name, which begins with a plus for an added setting


def as_overrides(parameters: Parameters) -> list[str]:
    """Return a trial as overrides of Hydra."""
    return [f"{name}={value}" for name, value in parameters.items()]
