"""Output on the terminal. Brackets and colons in labels, paths and errors are printed as they are.

>>> print_line("CNN [3 x 3]: 0.9")
CNN [3 x 3]: 0.9
"""

import os
import sys

from rich.console import Console

from vision.cli.stderr import printable


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
