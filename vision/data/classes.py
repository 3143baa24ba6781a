"""The names of the classes of a data set, checked.

>>> checked_classes(["cat", "dog"], "pets"), nearly_equal(("cat", "Cat ", "dog"))
(('cat', 'dog'), ["the classes 'cat' and 'Cat ' differ only in case, spaces or leading zeros"])
"""

import unicodedata
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from vision.data.notes import named
from vision.text import listing


def checked_classes(classes: Any, name: str) -> tuple[str, ...]:
    """Return the names as text, in Unicode form NFC.

    Args:
        classes: as a source gave them, label 0 first.
        name: of the data set.

    Raises:
        ValueError: they are not a sequence of names, there are fewer than two, or two are equal.
    """
    if isinstance(classes, str | set | frozenset | Mapping) or not hasattr(classes, "__iter__"):
        raise ValueError(f"data.name={name!r} must have a sequence of classes, got {classes!r}")
    classes = list(classes)  # it may be an iterator
    if odd := [one for one in classes if not isinstance(one, str | Integral)]:
        raise ValueError(f"data.name={name!r} must have classes whose names are text, got {odd[0]!r}")
    names = tuple(unicodedata.normalize("NFC", str(one)) for one in classes)
    if wrong := [one for one in names if not _is_unicode(one)]:
        raise ValueError(
            f"data.name={name!r} has the class {wrong[0]!r}, which is not valid Unicode; rename it"
        )
    if len(names) < 2:
        raise ValueError(
            f"data.name={name!r} has only the class {', '.join(names)!r}; a classifier needs two or more: "
            "give each class a folder or a label of its own"
        )
    if twice := [one for one in dict.fromkeys(names) if names.count(one) > 1]:
        raise ValueError(f"data.name={name!r} must have different classes, got {named(twice)} twice")
    return names


def nearly_equal(names: Sequence[str]) -> list[str]:
    """Return a sentence for each group of names that are likely to mean one class."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_plain(name), []).append(name)
    return [
        f"the classes {listing(repr(name) for name in group)} differ only in case, spaces or leading zeros"
        for group in groups.values()
        if len(group) > 1
    ]


def _is_unicode(name: str) -> bool:
    """Return whether a name has no bytes that are not UTF-8, as the names of folders may."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(name: str) -> str:
    text = "".join(name.casefold().split())
    return str(int(text)) if text.isdecimal() else text
