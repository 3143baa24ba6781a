"""What `vision convert` prints about the layers and the whole model, and its table as a file.

>>> print_comparison("resnet18", summary, measurements, notes=[])  # doctest: +SKIP
"""

from collections.abc import Iterator, Sequence
from math import isnan
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from vision.cli.console import console, print_line
from vision.cli.convert.measure import Measurements
from vision.convert import ConversionSummary, Difference
from vision.results import write_csv
from vision.text import first_few

PIPED_WIDTH, WIDE = 140, 100  # characters
NAMED = 3  # of what there may be dozens
SMALL_SPREAD = 1e-6  # logits of two images that are closer than this share tell little
LEGEND = (
    "null: heads of tokens that look beyond the border; density: pairs of tokens that the field allows; "
    "max diff: from the original's output on the same input"
)


def print_comparison(
    name: str, summary: ConversionSummary, measurements: Measurements, notes: Sequence[str]
) -> None:
    """Print the table of the layers and, below it, what holds for the whole model."""
    out = console(piped_width=PIPED_WIDTH)
    print_line(f"{name} as attention, images {' x '.join(map(str, summary.input_shape))}")
    out.print(_table(summary, measurements, wide=out.width >= WIDE))
    for line in [LEGEND, *notes, *_sentences(summary, measurements)]:
        print_line(line)


def write_layers(path: Path, summary: ConversionSummary, measurements: Measurements) -> None:
    """Write one row for each attention layer as CSV."""
    layers = pd.DataFrame([vars(row) for row in summary.rows])
    differences = [measurements.layers.get(row.name) for row in summary.rows]
    layers["difference"] = [difference and difference.absolute for difference in differences]
    layers["relative_difference"] = [difference and difference.relative for difference in differences]
    write_csv(layers.drop(columns="order", errors="ignore"), path)


def _table(summary: ConversionSummary, measurements: Measurements, *, wide: bool) -> Table:
    numbers = ["kernel", "heads", "tokens", "null", "density", "max diff"] + ["relative"] * wide
    right = [Column(text, justify="right", no_wrap=True) for text in numbers]
    columns = Column("layer", overflow="fold"), "kind", *right
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for row in summary.rows:
        tokens = f"{row.keys}->{row.queries}" if row.keys != row.queries else f"{row.queries}"
        shares = f"{row.null_share:.1%}", f"{row.density:.2%}"
        cells = _cells(measurements.layers.get(row.name))[: 1 + wide]
        table.add_row(row.name, row.kind, row.kernel, f"{row.heads}", tokens, *shares, *cells)
    return table


def _cells(difference: Difference | None) -> tuple[str, str]:
    if difference is None:
        return "unchanged", ""
    relative = "all are 0" if isnan(difference.relative) else f"{difference.relative:.1e}"
    return f"{difference.absolute:.1e}", relative


def _sentences(summary: ConversionSummary, measurements: Measurements) -> Iterator[str]:
    ways = {"as explicit attention": measurements.explicit, "by torch's operations": measurements.fast}
    for way, difference in ways.items():
        share = "all are 0" if isnan(difference.relative) else f"{difference.relative:.1e} of the largest"
        yield f"logits {way}: max difference {difference.absolute:.1e}, {share}"
    if measurements.spread is not None and measurements.spread < SMALL_SPREAD:
        yield (
            f"logits of different images differ by only {measurements.spread:.0e} of the largest, so they "
            "tell little; each layer above got the original's own input"
        )
    yield _cost(measurements)
    if summary.folded:
        pairs = [f"{norm} into {conv}" for conv, norm in summary.folded.items()]
        yield f"{len(pairs)} batch norms folded into the convolution before: {first_few(pairs, NAMED)}"
    if summary.kept:
        names = first_few(summary.kept, NAMED)
        yield f"{len(summary.kept)} batch norms kept as a scale and shift of each channel: {names}"
    if summary.idle:
        yield f"not run in evaluation mode, left unchanged: {first_few(summary.idle, NAMED)}"
    for module in summary.left:
        yield f"left unchanged: {module.name or 'the model'} ({module.type}): {module.reason}"
    if not summary.left:
        yield "every module known to mix tokens was converted"


def _cost(measurements: Measurements) -> str:
    explicit, fast = (f"{measurements.seconds[way]:.2g} s" for way in ("explicit", "fast"))
    text = f"one image takes {explicit} as explicit attention, {fast} by torch's operations"
    if not measurements.memory:
        return text
    after, before = (measurements.memory[key] / 2**30 for key in ("after", "before"))
    return f"{text}; peak memory of the process {after:.2f} GiB, {before:.2f} before the explicit pass"
