"""What `vision convert` shows: its progress, the table of layers, and the files beside the converted model.

>>> show("resnet18", report, measured, notes=[])  # doctest: +SKIP
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from vision.convert import ConversionSummary
from vision.convert.verify import Difference
from vision.text import first_few

PIPED_WIDTH, WIDE = 140, 100
NAMED = 3  # of what there may be dozens
FADED = 1e-6  # logits of two images nearer than this share say little


@dataclass(frozen=True)
class Measured:
    """What was found on some images.

    Attributes:
        layers: by name, each against the original's module on the same input.
        explicit: the logits, attention run with its weights.
        fast: the logits, attention run as torch's own operations.
        spread: how far apart the original's logits of different images are, as a share of the largest; None
            for a single image.
        seconds: an image takes so long, by "explicit" and "fast".
        memory: peak of the process in bytes, "before" the explicit pass and "after"; empty where unknown.
    """

    layers: dict[str, Difference]
    explicit: Difference
    fast: Difference
    spread: float | None
    seconds: dict[str, float]
    memory: dict[str, int]


@contextmanager
def progress(total: int) -> Iterator[Callable[[str, Difference], None]]:
    """A listener for each layer compared: a bar on a terminal, else a line each, on stderr."""
    done: set[str] = set()
    if not sys.stderr.isatty():

        def line(name: str, difference: Difference) -> None:
            done.add(name)
            text = f"layer {len(done)}/{total} {name}: max difference {difference.absolute:.1e}"
            print(text, file=sys.stderr, flush=True)

        yield line
        return
    columns = TextColumn("comparing layers"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(
        *columns, TextColumn("{task.description}"), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=total)

        def move(name: str, difference: Difference) -> None:
            done.add(name)
            bar.update(task, completed=len(done), description=name)

        yield move


def console() -> Console:
    """rich's console; wide enough for the table where nobody says how wide a pipe is."""
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=PIPED_WIDTH if piped else None, highlight=False, soft_wrap=False)


def show(name: str, report: ConversionSummary, measured: Measured, notes: Sequence[str]) -> None:
    """Print the table of the layers and, below it, what holds for the whole model."""
    out = console()
    places = " x ".join(map(str, report.input_shape))
    out.print(f"{name} as attention, images {places}", soft_wrap=True, markup=False)
    out.print(_table(report, measured, wide=out.width >= WIDE))
    legend = (
        "null: heads of tokens that look beyond the border; density: pairs of tokens that the field allows; "
        "max diff: from the original's output on the same input"
    )
    for line in [legend, *notes, *_summary(report, measured)]:
        out.print(line, soft_wrap=True, markup=False)


def write_layers(path: Path, report: ConversionSummary, measured: Measured) -> None:
    """Write a row for each attention layer as CSV."""
    layers = pd.DataFrame([vars(row) for row in report.rows])
    found = [measured.layers.get(row.name) for row in report.rows]
    layers["difference"] = [one and one.absolute for one in found]
    layers["relative_difference"] = [one and one.relative for one in found]
    layers.drop(columns="order", errors="ignore").to_csv(path, index=False)


def _table(report: ConversionSummary, measured: Measured, *, wide: bool) -> Table:
    numbers = ["kernel", "heads", "tokens", "null", "density", "max diff"] + ["relative"] * wide
    right = [Column(text, justify="right", no_wrap=True) for text in numbers]
    table = Table(
        Column("layer", overflow="fold"),
        "kind",
        *right,
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for row in report.rows:
        tokens = f"{row.keys}->{row.queries}" if row.keys != row.queries else f"{row.queries}"
        shares = f"{row.null_share:.1%}", f"{row.density:.2%}"
        cells = _cells(measured.layers.get(row.name))[: 1 + wide]
        table.add_row(row.name, row.kind, row.kernel, f"{row.heads}", tokens, *shares, *cells)
    return table


def _cells(found: Difference | None) -> tuple[str, str]:
    if found is None:
        return "as it was", ""
    return f"{found.absolute:.1e}", "all are 0" if isnan(found.relative) else f"{found.relative:.1e}"


def _summary(report: ConversionSummary, measured: Measured) -> Iterator[str]:
    for kind, one in (("as explicit attention", measured.explicit), ("by torch's operations", measured.fast)):
        share = "all are 0" if isnan(one.relative) else f"{one.relative:.1e} of the largest"
        yield f"logits {kind}: max difference {one.absolute:.1e}, {share}"
    if measured.spread is not None and measured.spread < FADED:
        yield (
            f"logits of different images differ by {measured.spread:.0e} of the largest only, so they say "
            "little; the layers above each got the original's own input"
        )
    yield _cost(measured)
    pairs = [f"{norm} into {conv}" for conv, norm in report.folded.items()]
    if pairs:
        yield f"{len(pairs)} batch norms folded into the convolution before: {first_few(pairs, NAMED)}"
    if report.kept:
        kept = first_few(report.kept, NAMED)
        yield f"{len(report.kept)} batch norms kept as a scale and shift of each channel: {kept}"
    if report.idle:
        yield f"did not run in evaluation mode, and stay: {first_few(report.idle, NAMED)}"
    for one in report.left:
        yield f"left as it was: {one.name or 'the model'} ({one.type}): {one.reason}"
    if not report.left:
        yield "nothing known to mix places was left"


def _cost(measured: Measured) -> str:
    seconds, memory = measured.seconds, measured.memory
    explicit, fast = (f"{seconds[kind]:.2g} s" for kind in ("explicit", "fast"))
    text = f"an image takes {explicit} as explicit attention, {fast} by torch's operations"
    if not memory:
        return text
    after, before = (memory[key] / 2**30 for key in ("after", "before"))
    return f"{text}; peak memory of the process {after:.2f} GiB, {before:.2f} before the explicit pass"
