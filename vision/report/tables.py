"""The tables of a page; a click on a head sorts them.

>>> [table.title for table in make_tables(sweep, linked_from=None)[0]]  # doctest: +SKIP
"""

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from vision.dynamic import TableRow
from vision.report.exclusions import skip_on_error
from vision.report.image_table import same_images_table
from vision.report.run_tables import choice_table, run_table, settings_table
from vision.report.sweep import Sweep
from vision.report.table_cells import Cell, Table, cell, count_cell, interval_cell, lead_cell, p_value
from vision.report.verdict_table import verdict_table
from vision.report.wording import captions
from vision.report.wording.models import accuracy_cell, images_cell, images_interval, law_cell, other_laws
from vision.report.wording.published import how_trained
from vision.statistics import ScalingFit, compare_with_published, published_results
from vision.statistics.published import SAME_TASK
from vision.text import percent, points

MAX_OPEN_ROWS = 12  # published results beyond which their table is closed at first
COSTS = {"params": "parameters", "macs": "multiply-adds"}


def make_tables(sweep: Sweep, *, linked_from: Path | None) -> tuple[list[Table], list[str]]:
    """Return the tables that apply, in the order of the page, and a sentence for each that failed.

    Args:
        sweep: The runs.
        linked_from: Folder of the page, from which the runs' folders are linked. None: no links.
    """
    tables: list[Table] = []
    failures: list[str] = []
    for name, make in OPTIONAL.items():
        with skip_on_error(f"table '{name}'", failures):
            table = make(sweep)
            if table is not None and table.rows and len(table.heads) > 1:
                tables.append(table)
    return [_scores(sweep), *tables, run_table(sweep, linked_from)], failures


def _scores(sweep: Sweep) -> Table:
    rows_of_curves: list[TableRow] = sweep.curves.to_dict("records")
    known = {(point["label"], point["train_size"]): point for point in rows_of_curves}
    costs = [name for name in COSTS if name in sweep.records]
    first = sweep.records.groupby("label")[["train_size", *costs]].first()
    rows = [
        [
            Cell(label),
            *(_score(known.get((label, size))) for size in sweep.sizes),
            *(cell(first.loc[label, name]) for name in costs),
        ]
        for label in sweep.labels
    ]
    heads = ["model", *(f"{size:,}" for size in sweep.sizes), *(COSTS[name] for name in costs)]
    caption = captions.scores_table(intervals=bool(sweep.curves["n"].max() > 1))
    return Table("scores", "Accuracy", caption, heads, rows)


def _score(point: TableRow | None) -> Cell:
    if point is None:
        return Cell("", -1.0)
    mean, low, high, n = 100 * point["mean"], 100 * point["low"], 100 * point["high"], point["n"]
    if pd.isna(low):
        return Cell(f"{mean:.1f} ({n})", mean)
    return Cell(
        f"{mean:.1f} ± {max(high - mean, mean - low):.1f} ({n})", mean, hint=f"{low:.1f} to {high:.1f}"
    )


def _differences(sweep: Sweep) -> Table:
    rows: list[list[Cell]] = []
    for other, table in sweep.differences.items():
        comparison = sweep.comparisons.get((sweep.first, other))
        tested = {one.train_size: one for one in comparison.by_size} if comparison else {}
        differences: list[TableRow] = table.to_dict("records")
        for row in differences:
            gain = Cell(points(row["mean"]), 100 * row["mean"])
            ends = interval_cell(row["low"], row["high"])
            size = tested.get(row["train_size"])
            p, least = (size.adjusted_p, size.detectable) if size else (math.nan, math.nan)
            cells = [count_cell(row["train_size"]), gain, ends, p_value(p), lead_cell(least)]
            rows.append([Cell(other), *cells, count_cell(row["n"])])
    heads = ("other model", "images", f"{sweep.first} ahead by", "interval", "p", "detectable", "n")
    paired = all(map(sweep.is_paired, sweep.differences))
    caption = captions.differences_table(sweep.first, paired=paired)
    return Table("differences", "Paired differences" if paired else "Differences", caption, heads, rows)


def _equivalence(sweep: Sweep) -> Table | None:
    if sweep.pair is None or sweep.equivalence is None:
        return None
    first, second = sweep.pair
    own = sorted(set(sweep.records[sweep.records["label"] == first]["train_size"].tolist()))
    rows: list[list[Cell]] = []
    needed: list[TableRow] = sweep.equivalence.to_dict("records")
    for row in needed:
        inside = row["state"] == "inside"
        images = Cell(images_cell(row["state"], row["images"], own), row["images"] if inside else None)
        ends = Cell(images_interval(row["low"], row["high"], own) if inside else "")
        worth = Cell(f"{row['worth']:.2f}", row["worth"]) if inside else Cell("")
        rows.append([count_cell(row["train_size"]), images, ends, worth])
    heads = (f"{second} with", f"{first} needs", "interval", "worth a factor of")
    caption = captions.equivalence_table(first, second)
    return Table("equivalence", "What the advantage is worth in images", caption, heads, rows)


def _laws(sweep: Sweep) -> Table:
    rows: list[list[Cell]] = []
    for fit in sweep.fits:
        error = fit.holdout_error.get(fit.law)
        holdout = Cell("too few sizes") if error is None else Cell(percent(error), error)
        runs = count_cell(fit.runs)
        law = Cell(fit.law if fit.fits else "none")
        text = Cell(law_cell(fit, _steps(sweep, fit)))
        rows.append([Cell(fit.label), law, text, runs, holdout, Cell(other_laws(fit))])
    rows += [
        [Cell(label), Cell("none"), Cell(why), Cell(""), Cell(""), Cell("")]
        for label, why in sweep.unfitted.items()
    ]
    heads = ("model", "law", "fit", "n", "holdout error", "of the other laws")
    return Table("laws", "Scaling laws", captions.LAWS_TABLE, heads, rows, cards=True)


def _steps(sweep: Sweep, fit: ScalingFit) -> tuple[int, int] | None:
    """Return the largest number of optimizer steps at the smallest and at the largest size, if known."""
    if "steps" not in sweep.records:
        return None
    runs = sweep.records[(sweep.records["label"] == fit.label) & sweep.records["steps"].notna()]
    most: TableRow = runs.groupby("train_size")["steps"].max().to_dict()
    ends = (fit.sizes[0], fit.sizes[-1])
    return (int(most[ends[0]]), int(most[ends[1]])) if set(ends) <= set(most) else None


def _published(sweep: Sweep) -> Table | None:
    theirs = published_results()
    theirs = theirs[theirs["data"] == SAME_TASK.get(sweep.data)]
    if not set(theirs["train_size"].tolist()) & set(sweep.sizes):
        return None
    rows: list[list[Cell]] = []
    both: list[TableRow] = compare_with_published(sweep.records).to_dict("records")
    for row in both:
        size, params = (cell(row[name]) for name in ("train_size", "params"))
        numbers = (row[name] for name in ("accuracy", "low", "high", "n"))
        accuracy = Cell(accuracy_cell(*numbers), row["accuracy"])
        rows.append([size, Cell(row["model"]), params, accuracy, Cell(how_trained(row)), Cell(row["source"])])
    heads = ("images", "model", "parameters", "accuracy, %", "how", "source")
    title, caption = "Published results", captions.PUBLISHED_TABLE
    return Table("published", title, caption, heads, rows, folded=len(rows) > MAX_OPEN_ROWS, cards=True)


OPTIONAL: dict[str, Callable[[Sweep], Table | None]] = {
    **{"verdicts": verdict_table, "differences": _differences, "equivalence": _equivalence, "laws": _laws},
    **{"same-images": same_images_table, "published": _published, "chosen": choice_table},
    "settings": settings_table,
}
