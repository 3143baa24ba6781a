"""Old names of functions and classes, which work for one version.

>>> find = old_names("vision.convert", {"set_explicit": "vision.convert.set_explicit_attention"})
>>> find("set_explicit").__name__  # doctest: +SKIP
'set_explicit_attention'
"""

import importlib
import warnings
from collections.abc import Callable, Mapping

NameFinder = Callable[[str], object]


def old_names(package: str, names: Mapping[str, str], others: NameFinder | None = None) -> NameFinder:
    """Return the `__getattr__` of a package that finds old names and warns.

    Args:
        package: its name.
        names: old name in the package -> where the value is now, such as "vision.soften.soften".
        others: finds all other names; without it there are none.
    """

    def find(name: str) -> object:
        if name in names:
            module, _, current = names[name].rpartition(".")
            message = f"{package}.{name} is deprecated, use {names[name]}"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            return getattr(importlib.import_module(module), current)
        if others is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return others(name)

    return find
