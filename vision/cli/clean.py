"""`vision clean`: remove what interrupted and superseded runs have left in a sweep's folder.

vision clean outputs/data_size-digits --dry-run
"""

import argparse
import time
from pathlib import Path

from vision import results
from vision.cli.console import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision clean`."""
    parser.epilog = "example: vision clean outputs/data_size-digits --dry-run"
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a sweep")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be removed, without removing it"
    )


def clean(folder: Path, *, dry_run: bool) -> int:
    """Show leftovers, and remove them; finished runs and those of live processes stay.

    What processes of other machines left is watched for a while first, as their heartbeat tells whether they
    live.

    Raises:
        FileNotFoundError: it is not the folder of a sweep.
    """
    results.check_sweep_folder(folder)
    watch = results.Watch()
    found = results.leftovers(folder, watch)
    if seconds := watch.seconds_left():
        print_line(f"watching for {seconds:.0f} s whether runs of other machines give a sign of life")
        time.sleep(seconds + 0.1)
        found = results.leftovers(folder, watch)
    for leftover in found:
        print_line(f"{'would remove' if dry_run else 'removing'} {leftover.path}: {leftover.what}")
        if not dry_run:
            leftover.remove()
    if not found:
        print_line("nothing to remove")
    return 0
