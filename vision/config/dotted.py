"""Settings by dotted name.

>>> dict(flatten({"training": {"lr": 0.1}, "seed": 0}))
{'training.lr': 0.1, 'seed': 0}
>>> nest({"training.lr": 0.1, "seed": 0})
{'training': {'lr': 0.1}, 'seed': 0}
"""

from collections.abc import Iterator
from typing import Any, cast

from vision.dynamic import JsonObject


def flatten(tree: JsonObject, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dictionaries under their dotted names; an empty dictionary is a leaf."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from flatten(cast(JsonObject, value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def nest(settings: JsonObject) -> JsonObject:
    """Return nested dictionaries of settings by dotted name, from which `flatten` gives these again."""
    tree: JsonObject = {}
    for name, value in settings.items():
        *groups, last = name.split(".")
        below = tree
        for group in groups:
            below = below.setdefault(group, {})
        below[last] = value
    return tree
