"""The summary of a data set on the terminal.

>>> print_summary("digits", summary(load_source(config)))  # doctest: +SKIP
"""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from vision.cli.console import console, print_line
from vision.cli.stderr import printable
from vision.dynamic import JsonObject
from vision.text import first_few

MOST = 10
MOST_CLASSES = 100


def print_summary(name: str, found: JsonObject) -> None:
    """Print a summary as `vision.data.summary` returns it."""
    train, test = found["images"]["train"], found["images"]["test"]
    table = Table("class", "training images", "test images", box=SIMPLE_HEAD)
    print_line(f"{name}: {sum(train.values()):,} training images, {sum(test.values()):,} test images")
    for label in list(train)[:MOST_CLASSES]:
        table.add_row(printable(label.replace("\n", "\\n")), f"{train[label]:,}", f"{test[label]:,}")
    console().print(table)
    if len(train) > MOST_CLASSES:
        print_line(f"and {len(train) - MOST_CLASSES} more classes")
    for line in _lines(found):
        print_line(line)


def _lines(found: JsonObject) -> list[str]:
    lines = [
        f"stored as (height x width): {_counts(found['sizes'])}",
        f"read as (channels, height, width): {', '.join(map(str, found['shape']))}",
        *([f"modes of the files: {_counts(found['modes'])}"] if found["modes"] else []),
        f"mean of each channel: {_numbers(found['mean'])}",
        f"standard deviation of each channel: {_numbers(found['std'])}",
    ]
    for reason, skipped in found["skipped"].items():
        names = skipped["names"]
        rest = skipped["count"] - min(MOST, len(names))
        more = f" and {rest} more" if rest else ""
        lines.append(f"skipped {skipped['count']:,} {reason}: {', '.join(names[:MOST])}{more}")
    lines += found["remarks"]
    pairs = found["near_duplicates"]["pairs"]
    listed = first_few([f"{test} of {train}" for train, test in pairs], MOST)
    count = found["near_duplicates"]["count"]
    listed = f": {listed}" if pairs else ""
    return [*lines, f"{count:,} test images are near-duplicates of a training image{listed}"]


def _counts(counts: dict[str, int]) -> str:
    return first_few([f"{name} ({count:,})" for name, count in counts.items()], MOST)


def _numbers(values: list[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)
