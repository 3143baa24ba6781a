"""The terminal, on which brackets and colons of labels, paths and errors are printed as they are.

>>> say("CNN [3 x 3]: 0.9")
CNN [3 x 3]: 0.9
"""

from pathlib import Path

from rich.console import Console


def console() -> Console:
    """A console of rich on what is now the standard output."""
    return Console(markup=False, emoji=False)


def say(line: str) -> None:
    """Print a line of text as it is, however long."""
    console().print(line, soft_wrap=True, highlight=False)


def home(source: Path) -> Path:
    """Where the files on a sweep's folder, or on a table of records, belong."""
    return source if source.is_dir() else source.parent
