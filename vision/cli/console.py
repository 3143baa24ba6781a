"""Output on the terminal. Brackets and colons in labels, paths and errors are printed as they are.

>>> print_line("CNN [3 x 3]: 0.9")
CNN [3 x 3]: 0.9
"""

import os
import re
import sys

from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def console(*, piped_width: int | None = None) -> Console:
    """Return a console of rich on the current standard output.

    Args:
        piped_width: characters per line where the output is not a terminal and COLUMNS is not set.
    """
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(markup=False, emoji=False, width=piped_width if piped else None)


def print_line(text: str) -> None:
    """Print one line of text, however long, without wrapping it."""
    console().print(printable(text), soft_wrap=True, highlight=False)


def printable(text: str) -> str:
    r"""Return the text with control characters, such as those of terminal escapes, written out.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
