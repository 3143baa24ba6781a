"""Arguments that `vision plot`, `report` and `compare` share: a sweep, and settings that validation chooses.

>>> names("training.lr,training.weight_decay")
['training.lr', 'training.weight_decay']
"""

import argparse
from pathlib import Path

from vision.cli.stderr import tell
from vision.config import RENAMED


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the positional argument DIR."""
    source = "folder of a sweep, finished or still running, or a .csv or .parquet file with one row per run"
    parser.add_argument("source", type=Path, metavar="DIR", help=source)


def add_choose(parser: argparse.ArgumentParser) -> None:
    """Add --choose."""
    choose = "settings, joined by commas; of each, only the value with the best validation accuracy is used"
    parser.add_argument("--choose", metavar="NAMES", type=current_names, help=choose)


def current_names(joined: str) -> str:
    """Return names joined by commas with the present names of settings, after a warning for each old one."""
    given = joined.split(",")
    for old in given:
        if old in RENAMED:
            message = f"vision: {old} is now {RENAMED[old]}; the next version drops the old name"
            tell(message)
    return ",".join(RENAMED.get(name, name) for name in given)


def names(joined: str | None) -> list[str] | None:
    """Split names that are joined by commas."""
    return None if joined is None else joined.split(",")


def output_folder(source: Path) -> Path:
    """Return the folder that files about a sweep, or about a table of records, are written to."""
    return source if source.is_dir() else source.parent
