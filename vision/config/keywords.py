"""Settings as keyword arguments of a dataclass: old names still work, and unknown ones are named."""

import warnings
from collections.abc import Callable, Container
from dataclasses import fields
from functools import wraps
from typing import Any, TypeVar

from vision.argument_types import no_argument
from vision.config.renamed import RENAMED

T = TypeVar("T")


def settings(group: str) -> Callable[[type[T]], type[T]]:
    """Return a decorator for the dataclass with the settings of a group, such as "training".

    An argument under its old name is understood, with a warning. One that does not exist is a TypeError of
    one sentence.
    """

    def decorate(kind: type[T]) -> type[T]:
        initialize = kind.__init__

        @wraps(initialize)
        def with_present_names(self: T, *values: Any, **given: Any) -> None:
            initialize(
                self, *values, **{_present_name(kind, group, name, given): given[name] for name in given}
            )

        kind.__init__ = with_present_names
        return kind

    return decorate


def _present_name(kind: type[Any], group: str, name: str, given: Container[str]) -> str:
    known = [field.name for field in fields(kind)]
    if name in known:
        return name
    prefix = f"{group}." if group else ""
    present = RENAMED.get(prefix + name, "").removeprefix(prefix)
    if not present:
        raise TypeError(f"{kind.__name__} {no_argument(name, known, most=1)}")
    if present in given:
        raise TypeError(f"{kind.__name__}: {name} is the old name of {present}; give {present} only")
    warnings.warn(f"{kind.__name__}: {name} is now {present}", DeprecationWarning, stacklevel=4)
    return present
