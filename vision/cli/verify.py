"""`vision verify`: check every finished run of a sweep against its checksums and its predictions.

vision verify outputs/data_size-digits
"""

import argparse
from pathlib import Path

from vision import results
from vision.cli.console import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision verify`."""
    parser.epilog = "example: vision verify outputs/data_size-digits"
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a sweep")


def verify(folder: Path) -> int:
    """Print what is wrong with each finished run.

    Returns:
        0 if nothing is, otherwise 1.

    Raises:
        FileNotFoundError: there is no such folder, or no finished run in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder.absolute()} is not a folder; give the folder of a sweep")
    total, problems = results.verify(folder)
    if not total:
        raise FileNotFoundError(f"there is no finished run below {folder.absolute()}")
    for run, found in problems.items():
        for problem in found:
            print_line(f"damaged: {run}: {problem}")
    if without := results.without_checksums(folder):
        print_line(f"{len(without)} runs of earlier versions have no checksums, such as {without[0]}")
    print_line(f"{total - len(problems)} of {total} finished runs are sound")
    return int(bool(problems))
