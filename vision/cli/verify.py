"""`vision verify`: check every finished run of a sweep against its checksums and its predictions.

vision verify outputs/data_size-digits
"""

import argparse
from pathlib import Path

from vision import results
from vision.cli.console import print_line
from vision.config import written_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision verify`."""
    parser.epilog = "example: vision verify outputs/data_size-digits"
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a sweep")
    parser.add_argument(
        "--skip-data", action="store_true", help="do not check whether the images have changed"
    )


def verify(folder: Path, *, skip_data: bool = False) -> int:
    """Print what is wrong with each finished run, and whether its images have changed since.

    Returns:
        0 if nothing is, otherwise 1.

    Raises:
        FileNotFoundError: it is not the folder of a sweep, or has no finished run.
    """
    results.check_sweep_folder(folder)
    total, problems = results.verify(folder)
    if not total:
        raise FileNotFoundError(f"there is no finished run below {folder.absolute()}")
    for run, found in problems.items():
        for problem in found:
            print_line(f"damaged: {run}: {problem}")
    if without := results.without_checksums(folder):
        print_line(f"{len(without)} runs of earlier versions have no checksums, such as {without[0]}")
    changed = [] if skip_data else _changed_data(folder)
    for line in changed:
        print_line(line)
    print_line(f"{total - len(problems)} of {total} finished runs are sound")
    return int(bool(problems or changed))


def _changed_data(folder: Path) -> list[str]:
    """Return a line for each data set whose images or labels are not those that finished runs have used."""
    from vision.data import has_changed, read_source

    lines: list[str] = []
    for runs, settings, fingerprint in results.used_data(folder):
        name = settings.get("data.name")
        try:
            now = read_source(written_data(settings)).fingerprint
        except (ValueError, TypeError, OSError) as error:
            print_line(f"data.name={name} cannot be read here, so nothing is known of changes: {error}")
            continue
        if has_changed(fingerprint, now):
            what = f"the images or labels of data.name={name}"
            lines.append(f"changed: {what} since {len(runs)} runs, such as {runs[0]}")
    return lines
