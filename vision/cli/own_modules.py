"""Modules of the user's, with models, mixers or fields of their own, that a command imports first.

>>> import_own_modules(["nothing_here"])
Traceback (most recent call last):
ValueError: --module must be a module that Python can import from here or from PYTHONPATH, got ...
"""

import argparse
import os
import sys
from collections.abc import Sequence

COMMANDS_WITH_MODELS = ("evaluate", "predict", "export", "convert", "inspect")


def add_module_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument --module, which may be given several times."""
    text = "a module to import first, such as one with a mixer of your own; may be given several times"
    parser.add_argument("--module", action="append", dest="modules", metavar="NAME", help=text)


def import_own_modules(names: Sequence[str]) -> None:
    """Import modules, from the current folder too.

    Raises:
        ValueError: one of them cannot be imported; the message has the reason.
    """
    if names:
        from vision.config import import_module

        find_modules_here()
        for name in names:
            import_module("--module", name)


def find_modules_here() -> None:
    """Let Python find the user's modules in the current folder.

    It comes last, in the processes of a launcher too, so that no file there stands in for a library.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
