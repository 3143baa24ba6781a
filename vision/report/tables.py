"""The tables of a page; a click on a head sorts them.

>>> [table.title for table in make_tables(sweep, linked_from=None)[0]]  # doctest: +SKIP
"""

import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vision.report.exclusions import said_if_left_out
from vision.report.figures import fitted
from vision.report.findings import EACH_BY_ITSELF
from vision.report.paired import compared, crossed, equivalent, paired
from vision.report.run_tables import choice_table, run_table, settings_table
from vision.report.sweep import Sweep, curves_of
from vision.report.table_cells import Cell, Table, cell, p_value, points
from vision.report.test_predictions import tested_at
from vision.statistics import beside_published, compare_predictions
from vision.statistics.published import SAME_TASK, accuracy_text, published

COSTS = {"params": "parameters", "macs": "multiply-adds"}


def make_tables(sweep: Sweep, *, linked_from: Path | None) -> tuple[list[Table], list[str]]:
    """The tables that apply, in the order of the page; and a sentence for each that an error left out.

    Args:
        sweep: the runs.
        linked_from: folder of the page, from which the runs' folders are linked; None links none.
    """
    made: list[Table] = []
    left_out: list[str] = []
    for name, make in OPTIONAL.items():
        with said_if_left_out(f"table '{name}'", left_out):
            table = make(sweep)
            if table is not None and table.rows and len(table.heads) > 1:
                made.append(table)
    return [_scores(sweep), *made, run_table(sweep, linked_from)], left_out


def _scores(sweep: Sweep) -> Table:
    curves: Any = curves_of(sweep)
    known = {(point["label"], point["train_size"]): point for point in curves.to_dict("records")}
    costs: Any = sweep.records.groupby("label")
    sized = [name for name in COSTS if name in sweep.records]
    first = costs[sized].first().to_dict("index") if sized else {}
    rows = [
        [
            Cell(label),
            *(_score(known.get((label, size))) for size in sweep.sizes),
            *(cell(first[label][name]) for name in sized),
        ]
        for label in sweep.labels
    ]
    spread = " ± half of the 95% t-interval" if curves["n"].max() > 1 else ""
    caption = f"Test accuracy in %, mean{spread} over seeds (n)."
    heads = ["model", *(f"{size:,}" for size in sweep.sizes), *(COSTS[name] for name in sized)]
    return Table("scores", "Accuracy", caption, heads, rows)


def _score(point: Any) -> Cell:
    if point is None:
        return Cell("", -1.0)
    mean, low, high, n = 100 * point["mean"], 100 * point["low"], 100 * point["high"], point["n"]
    if pd.isna(low):
        return Cell(f"{mean:.1f} ({n})", mean)
    return Cell(
        f"{mean:.1f} ± {max(high - mean, mean - low):.1f} ({n})", mean, hint=f"{low:.1f} to {high:.1f}"
    )


def _crossings(sweep: Sweep) -> Table:
    first, others = compared(sweep)
    rows = []
    for other in others:
        with suppress(ValueError):  # too few pairs of this one
            found = crossed(sweep, first, other)
            rows.append(
                [Cell(other), Cell(str(found)), Cell(f"{found.below_largest:.2f}", found.below_largest)]
            )
    caption = (
        f"Where the errors of {first} and of another model cross, over runs of the same subset and seed, and "
        "the probability that they cross between the smallest size and another: that of the likeliest."
    )
    caption += f" {EACH_BY_ITSELF}" if len(rows) > 1 else ""
    return Table("crossings", "Who is ahead", caption, ("other model", "answer", "changes"), rows)


def _differences(sweep: Sweep) -> Table:
    first, _ = compared(sweep)
    rows = []
    for other, table in paired(sweep)[0].items():
        for row in table.to_dict("records"):
            ends = points(row["low"], row["high"])
            size = Cell(f"{row['train_size']:,}", float(row["train_size"]))
            gain = Cell(f"{100 * row['mean']:+.1f}", 100 * row["mean"])
            rows.append(
                [Cell(other), size, gain, ends, p_value(row["p"]), Cell(str(row["n"]), float(row["n"]))]
            )
    caption = (
        f"Accuracy of {first} less the other's, in points, over runs of the same subset and seed: mean, 95% "
        "t-interval and p of each comparison by itself."
    )
    heads = ("other model", "images", f"{first} ahead by", "interval", "p", "n")
    return Table("differences", "Paired differences", caption, heads, rows)


def _equivalence(sweep: Sweep) -> Table | None:
    if sweep.pair is None:
        return None
    first, second = sweep.pair
    runs: Any = sweep.records[sweep.records["label"] == first]
    own = sorted(set(runs["train_size"]))
    if len(own) < 2:  # nothing to read between
        return None
    rows = []
    for row in equivalent(sweep, first, second).to_dict("records"):
        reached = row["state"] == "inside"
        images = Cell(f"{row['images']:,.0f}", row["images"]) if reached else Cell(row["state"])
        ends = Cell(_reach(row["low"], row["high"], own)) if reached else Cell("")
        worth = Cell(f"{row['worth']:.2f}", row["worth"]) if reached else Cell("")
        rows.append([Cell(f"{row['train_size']:,}", float(row["train_size"])), images, ends, worth])
    caption = f"How many images {first} needs for the error that {second} has; 95% interval."
    heads = (f"{second} with", f"{first} needs", "interval", "worth a factor of")
    return Table("equivalence", "What the bias is worth in images", caption, heads, rows)


def _laws(sweep: Sweep) -> Table:
    rows = []
    fits, failed = fitted(sweep)
    for fit in fits:
        off = fit.foretold.get(fit.law)
        value = Cell("too few sizes") if off is None else Cell(f"{off:.1%}", off)
        rows.append([Cell(fit.label), Cell(fit.law), Cell(str(fit).partition(": ")[2]), value])
    rows += [[Cell(label), Cell("none"), Cell(why), Cell("")] for label, why in failed.items()]
    caption = (
        "Laws of the error over training-set size; of those that foretell the largest from the others about "
        "as well as the best, within two standard errors, the simplest. They say nothing about sizes beyond."
    )
    return Table("laws", "Scaling laws", caption, ("model", "law", "fit", "foretold off by"), rows)


def _same_images(sweep: Sweep) -> Table:
    first, others = compared(sweep)
    size, images, rows, left_out = sweep.sizes[-1], 0, [], []
    for other in others:
        tested = tested_at(sweep, [first, other], size)
        if not tested:
            left_out.append(f"{other} and {first} have no predictions of runs with the same seed and subset")
            continue
        if not np.array_equal(tested[first].labels, tested[other].labels):
            left_out.append(f"{other} had other test images than {first}")
            continue
        images = len(tested[first].labels)
        found = compare_predictions(
            tested[first].predictions,
            tested[other].predictions,
            tested[first].labels,
            subsets=tested[first].subsets,
        )
        seeds = ("-" if np.isnan(share) else f"{share:.1%}" for share in found.seed_disagreement)
        rows.append(
            [
                Cell(other),
                Cell(f"{100 * found.difference:+.2f}", found.difference),
                points(found.low, found.high, digits=2),
                Cell(", ".join(p_value(p).text for p in found.p), max(found.p)),
                Cell(f"{found.only_first:,.0f}", found.only_first),
                Cell(f"{found.only_second:,.0f}", found.only_second),
                Cell(f"{found.disagreement:.1%}", found.disagreement),
                Cell(" and ".join(seeds)),
            ]
        )
    caption = (
        f"Models trained on {size:,} images, on the same {images:,} test images: points by which {first} is "
        "ahead, with the interval of a bootstrap over images and runs; p of McNemar's test for each pair of "
        "runs; images that only one of the two gets right; and how often they disagree, beside how often two "
        "seeds of the one and of the other do."
    )
    if left_out:
        if not rows and sweep.is_folder:
            raise ValueError("; ".join(left_out))
        caption += f" Left out: {'; '.join(left_out)}."
    heads = (
        *("other model", f"{first} ahead by", "interval", "McNemar's p", f"only {first}", "only the other"),
        *("disagree", "two seeds disagree"),
    )
    return Table("same-images", "On the same test images", caption, heads, rows)


def _published(sweep: Sweep) -> Table | None:
    theirs: Any = published()
    theirs = theirs[theirs["data"] == SAME_TASK.get(sweep.data, ("",))[0]]
    if not set(theirs["train_size"]) & set(sweep.sizes):
        return None
    rows = []
    for row in beside_published(sweep.records).to_dict("records"):
        size, params = (cell(row[name]) for name in ("train_size", "params"))
        accuracy = Cell(accuracy_text(row), row["accuracy"])
        rows.append([size, Cell(row["model"]), params, accuracy, Cell(row["how"]), Cell(row["source"])])
    caption = "What others published for as many images. Mind what differs: size, budget, augmentation, data."
    heads = ("images", "model", "parameters", "accuracy, %", "how", "source")
    return Table("published", "Beside published figures", caption, heads, rows)


OPTIONAL: dict[str, Callable[[Sweep], Table | None]] = {
    **{"crossings": _crossings, "differences": _differences, "equivalence": _equivalence, "laws": _laws},
    **{"same-images": _same_images, "published": _published, "chosen": choice_table},
    "settings": settings_table,
}


def _reach(low: float, high: float, sizes: list[int]) -> str:
    """An interval of images, of which a curve over these sizes knows no more than that it reaches beyond."""
    if math.isnan(low):
        return "-"
    below = f"fewer than {sizes[0]:,}" if low == 0 else f"{low:,.0f}"
    return f"{below} to {f'more than {sizes[-1]:,}' if math.isinf(high) else f'{high:,.0f}'}"
