"""Arguments checked against their annotations: a wrong type is a ValueError of one sentence.

>>> @checked
... def half(number: int) -> float:
...     return number / 2
>>> half("3")
Traceback (most recent call last):
ValueError: number must be an integer, got '3'
>>> half(numbr=3)
Traceback (most recent call last):
TypeError: half has no argument numbr; did you mean number?
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache, wraps
from inspect import Signature, isclass, signature
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, Unpack, cast, get_args, get_origin, get_type_hints

P = ParamSpec("P")
R = TypeVar("R")
PLAIN = (str, bytes, int, float, bool, NoneType, list, tuple, dict, set)  # shown as they are
LONGEST = 80  # characters of a value in a message
NAMES = {int: "an integer", float: "a number", bool: "True or False", str: "a string", NoneType: "None"}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with a check of its arguments' types, as `check_types` does, and of their names."""
    parameters = signature(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        check_types(function, {**_bound(function, parameters, args, kwargs), **kwargs})
        return function(*args, **kwargs)

    return call


def check_types(function: Callable[..., object], given: Mapping[str, object], of: str = "") -> None:
    """Raise a ValueError for the first argument whose type is not that of its annotation.

    Any sequence counts as a tuple or a list, and any mapping as a dict, as JSON and OmegaConf have
    others. Annotations without a test, such as protocols, allow all.

    Args:
        function: what is called, with annotations.
        given: arguments by name.
        of: put after the name of an argument in the message, such as " of mixer 'pooling'".
    """
    hints = _hints(function)
    for name, value in given.items():
        check_type(f"{name}{of}", value, hints.get(name, Any))


def unknown_argument(function: Callable[..., object], given: Iterable[str]) -> str | None:
    """Return which name a function has no argument for, and which one may be meant; None if it has all.

    >>> unknown_argument(get_close_matches, ["cutof"])
    'has no argument cutof; did you mean cutoff?'
    """
    return _unknown(signature(function), given)


def no_argument(unknown: str, known: Collection[str], *, most: int = 3) -> str:
    """Return what to say of an argument that does not exist: the nearest that do exist, or all of them.

    >>> no_argument("cutof", ["n", "cutoff"])
    'has no argument cutof; did you mean cutoff?'
    """
    near = " or ".join(get_close_matches(unknown, known, most))
    return f"has no argument {unknown}; " + (
        f"did you mean {near}?" if near else f"it has {', '.join(known)}"
    )


def check_type(name: str, value: object, hint: object) -> None:
    """Raise a ValueError that calls a value by its name, unless its type is that of an annotation."""
    if not _fits(value, hint):
        raise ValueError(f"{name} must be {_described(hint)}, got {shown(value)}")


def shown(value: object) -> str:
    """Return a value for a message: as Python shows it, or the name of its type where that would be long."""
    if not isinstance(value, PLAIN):
        shape = getattr(value, "shape", None)
        return type(value).__name__ + (f" of shape {tuple(shape)}" if shape is not None else "")
    text = " ".join(repr(cast(object, value)).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _bound(
    function: Callable[..., object],
    parameters: Signature,
    args: Sequence[object],
    kwargs: Mapping[str, object],
) -> dict[str, object]:
    """Return the arguments by name, or raise a TypeError that says which one is unknown or missing."""
    try:
        return parameters.bind(*args, **kwargs).arguments
    except TypeError as error:
        name = function.__qualname__
        if function.__name__ == "__init__" and args:
            name, args = type(args[0]).__name__, args[1:]
        raise TypeError(f"{name} {_misfit(parameters, args, kwargs) or error}") from None


def _misfit(parameters: Signature, args: Sequence[object], kwargs: Mapping[str, object]) -> str | None:
    """Return what is wrong with the names of arguments, or None."""
    known = {name: each for name, each in parameters.parameters.items() if name != "self"}
    names = ", ".join(known)
    if unknown := _unknown(parameters, kwargs):
        return unknown
    if args and known and all(each.kind is each.KEYWORD_ONLY for each in known.values()):
        return f"takes its arguments by name: {names}"
    required = [name for name, each in known.items() if each.default is each.empty and name not in kwargs]
    return f"needs the argument {required[0]}" if not args and required else None


def _unknown(parameters: Signature, given: Iterable[str]) -> str | None:
    known = {name: each for name, each in parameters.parameters.items() if name != "self"}
    if any(each.kind is each.VAR_KEYWORD for each in known.values()):
        return None
    unknown = next((name for name in given if name not in known), None)
    return None if unknown is None else no_argument(unknown, known)


@cache
def _hints(function: Callable[..., object]) -> dict[str, Any]:
    """Return the annotations of a function, those of an unpacked TypedDict included."""
    hints = get_type_hints(function)
    unpacked = [get_args(hint)[0] for hint in hints.values() if get_origin(hint) is Unpack]
    return hints | {key: hint for kind in unpacked for key, hint in get_type_hints(kind).items()}


def _fits(value: Any, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin is tuple:
        return _fits_tuple(value, parts)
    if hint is bool:
        return type(value).__name__ in ("bool", "bool_") or (isinstance(value, Integral) and value in (0, 1))
    if hint in (int, float):
        return not isinstance(value, bool) and isinstance(value, Integral if hint is int else Real)
    kind = origin or hint
    if kind is Sequence or kind is list:
        return _fits_tuple(value, (*parts, Ellipsis))
    if kind is dict:
        values = cast("Mapping[Any, Any]", value).values() if isinstance(value, Mapping) else None
        return values is not None and all(_fits(each, parts[1]) for each in values if parts)
    testable = isclass(kind) and kind not in (Any, object) and not getattr(kind, "_is_protocol", False)
    return not testable or isinstance(value, kind)


def _fits_tuple(value: Any, parts: tuple[Any, ...]) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return False
    values = cast("Sequence[Any]", value)
    if len(parts) == 2 and parts[1] is Ellipsis:
        return all(_fits(each, parts[0]) for each in values)
    return len(values) == len(parts) and all(map(_fits, values, parts))


def _described(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if hint in NAMES:
        return NAMES[hint]
    if origin in (Union, UnionType):
        return " or ".join(_described(part) for part in parts)
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin is tuple:
        return f"({', '.join('...' if part is Ellipsis else _described(part) for part in parts)})"
    if origin is not None and origin in (list, Sequence):
        return f"[{_described(parts[0])}, ...]"
    if origin is Callable or hint is Callable:
        return "a function"
    name = getattr(origin or hint, "__name__", str(hint))
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"
