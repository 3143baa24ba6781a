"""`vision status`: how many runs of a sweep are finished, failed, running and missing.

vision status outputs/data_size-digits
"""

import argparse
from pathlib import Path

from vision import results
from vision.cli.console import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision status`."""
    parser.epilog = "example: vision status outputs/data_size-digits"
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a sweep")


def status(folder: Path) -> int:
    """Print the number of runs in each state, the failed and missing ones, and how many need more steps.

    Returns:
        0 if all runs are finished, otherwise 1.

    Raises:
        FileNotFoundError: there is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder.absolute()} is not a folder; give the folder of a sweep, such as outputs/NAME"
        )
    states = results.status(folder)
    if not any(states.values()):
        raise FileNotFoundError(
            f"there is no run below {folder.absolute()}; give the folder of a sweep, such as outputs/NAME"
        )
    print_line(", ".join(f"{len(runs)} {state}" for state, runs in states.items()))
    for run in states["failed"]:
        print_line(f"failed: {folder / run}: {results.why_failed(folder / run)}")
    for run in states["missing"]:
        print_line(f"missing: {folder / run}")
    if states["finished"]:
        _print_undertrained(folder)
    return int(any(runs for state, runs in states.items() if state != "finished"))


def _print_undertrained(folder: Path) -> None:
    """Print how many finished runs their budget may limit; nothing if none."""
    try:
        records = results.collect(folder)
    except ValueError as error:  # a damaged record
        print_line(f"unreadable: {error}")
        return
    counts = {sign: count for sign, count in results.undertrained(records).items() if count}
    if counts:
        signs = ", ".join(f"{sign} in {count}" for sign, count in counts.items())
        print_line(f"of {len(records)} finished runs: {signs}; a longer budget may change them")
