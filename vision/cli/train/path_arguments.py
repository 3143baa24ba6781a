"""Paths on the command line that Hydra's grammar cannot read, in quotes.

>>> quoted_paths(["data.root=photos/a=b", "seed=0,1"])
["data.root='photos/a=b'", 'seed=0,1']
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

PATHS = ("data.root", "output_dir", "model.init_from")


def quoted_paths(arguments: Sequence[str]) -> list[str]:
    """Return arguments in which a path is quoted if Hydra's grammar cannot read it, or would split it.

    In a sweep, a path such as a,b is quoted where there is such a file or folder; otherwise it is two values.
    A leading ~ becomes the home folder.
    """
    sweeping = not {"-m", "--multirun"}.isdisjoint(arguments)
    return [_quoted(argument, sweeping) for argument in arguments]


def quoted(text: str) -> str:
    """Return a text as Hydra's grammar reads any text; it takes a backslash as one unless a quote follows.

    >>> print(quoted("it's"), quoted("a\\\\b"), quoted("a\\\\"))
    'it\\'s' 'a\\b' 'a\\\\'
    """
    return "'" + re.sub(r"(\\*)('|\Z)", _escaped, text) + "'"


def with_home(tree: object, name: str) -> object:
    """Return the contents of a YAML file with the home folder in the place of a ~ that begins a path.

    >>> with_home({"root": "~/photos"}, "data") == {"root": os.path.expanduser("~/photos")}
    True
    """
    if isinstance(tree, dict):
        settings = cast(dict[object, object], tree).items()
        return {key: with_home(value, f"{name}.{key}" if name else str(key)) for key, value in settings}
    return os.path.expanduser(tree) if isinstance(tree, str) and name in PATHS else tree


def _escaped(found: re.Match[str]) -> str:
    """Return the backslashes before a quote or the end twice, and the quote after one more."""
    return 2 * found[1] + ("\\'" if found[2] else "")


def _quoted(argument: str, sweeping: bool) -> str:
    name, sign, value = argument.partition("=")
    if name not in PATHS or not sign or value[:1] in ("'", '"'):
        return argument
    if value.startswith("~"):
        value = os.path.expanduser(value)
    if "$" in value or value.lower() in ("", "null"):  # an interpolation, or no path at all
        return f"{name}={value}"
    return f"{name}={value}" if _reads(f"{name}={value}", value, sweeping) else f"{name}={quoted(value)}"


def _reads(argument: str, value: str, sweeping: bool) -> bool:
    """Return whether Hydra reads a path as it is, or as several that are meant."""
    try:
        override = OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    several = sweeping and override.is_sweep_override() and not Path(value).exists()
    return several or override.value() == value
