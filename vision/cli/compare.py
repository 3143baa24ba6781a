"""`vision compare`: the accuracies of a sweep next to those that others published.

vision compare outputs/data_size-cifar10
"""

import argparse
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from vision.cli.console import console, print_line
from vision.cli.stderr import tell
from vision.cli.sweep_arguments import add_choose, add_source, names
from vision.dynamic import TableRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision compare`."""
    parser.epilog = "example: vision compare outputs/data_size-cifar10"
    add_source(parser)
    parser.add_argument("--to", choices=("published",), help=argparse.SUPPRESS)
    add_choose(parser)


def compare(source: Path, *, choose: str | None, to: str | None = None) -> int:
    """Print the accuracies of a sweep next to published ones for the same number of training images.

    Args:
        source: folder of a sweep, or a table of records.
        choose: settings that validation chooses, joined by commas.
        to: deprecated, has no effect.
    """
    from vision.report.findings import headline
    from vision.report.read_sweep import read_sweep
    from vision.statistics import compare_with_published

    if to is not None:
        tell("vision compare: --to is deprecated; leave it out")
    sweep = read_sweep(source, choose=names(choose))
    console().print(_table(compare_with_published(sweep.records)))
    for line in (headline(sweep), *sweep.left_out):
        print_line(line)
    return 0


def _table(accuracies: pd.DataFrame) -> Table:
    """Return one row for each accuracy, with a section for each training-set size."""
    from vision.report.wording.models import accuracy_cell
    from vision.report.wording.published import how_trained

    table = Table("images", "model", "parameters", "accuracy, %", "how", "source", box=SIMPLE_HEAD)
    for size, group in accuracies.groupby("train_size"):
        rows: list[TableRow] = group.to_dict("records")
        for row in rows:
            params = "" if pd.isna(row["params"]) else f"{row['params']:,.0f}"
            table.add_row(
                f"{size:,}",
                row["model"],
                params,
                accuracy_cell(*(row[name] for name in ("accuracy", "low", "high", "n"))),
                how_trained(row),
                row["source"],
            )
        table.add_section()
    return table
