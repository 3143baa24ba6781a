"""`vision models`: our models with their cost, and the names of timm's.

vision models 'resnet*'
"""

import argparse

from rich.box import SIMPLE_HEAD
from rich.table import Table

from vision.cli.console import console, print_line

IMAGE = (3, 32, 32)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision models`."""
    parser.epilog = "example: vision models 'resnet*'"
    parser.add_argument(
        "pattern", nargs="?", metavar="PATTERN", help="list the names that match, such as 'convnext*'"
    )


def models(pattern: str | None) -> int:
    """Print our models with their cost on a 32 x 32 image, and timm's names that match `pattern`.

    Raises:
        ValueError: no name matches.
    """
    import timm

    from vision.models import our_models

    names = timm.list_models(pattern or "")
    ours = [name for name in our_models() if not pattern or name in names]
    others = [name for name in names if name not in ours]
    if not ours and not others:
        raise ValueError(f"no model matches PATTERN {pattern!r}; try 'resnet*', or no pattern for our models")
    if ours:
        console().print(_cost_table(ours))
    if pattern:
        for name in others:
            print_line(name)
    else:
        print_line(f"timm has {len(others)} more; vision models 'convnext*' lists those that match")
    return 0


def _cost_table(names: list[str]) -> Table:
    import timm

    from vision.models import cost

    title = "our models, for 3 x 32 x 32 images and 10 classes"
    table = Table("model", "parameters", "multiply-adds", "what it is", title=title, box=SIMPLE_HEAD)
    for name in names:
        size = cost(timm.create_model(name), IMAGE)
        description = (timm.model_entrypoint(name).__doc__ or "").strip()
        table.add_row(name, f"{size.params:,}", f"{size.macs:,}", description)
    return table
