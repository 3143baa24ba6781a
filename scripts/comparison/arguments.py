"""Comma-separated values on a script's command line.

>>> listed(kind=int)("100,1000")
[100, 1000]
"""

import argparse
from collections.abc import Callable
from typing import Any


def listed(known: Any = (), kind: Callable[[str], Any] = str) -> Callable[[str], list[Any]]:
    """Return a type for argparse, which refuses a value that is not one of `known`; empty accepts all."""

    def parse(text: str) -> list[Any]:
        values = [kind(part) for part in text.split(",")]
        if unknown := [value for value in values if known and value not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is not one of {', '.join(known)}")
        return values

    return parse
