"""The findings of a page: who is ahead, what else the runs show, and what they cannot show.

>>> headline(sweep)  # doctest: +SKIP
'The CNN is ahead up to about 1,900 images (95% interval 1,200 to 2,700). From there the ViT is ahead.'
"""

import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from vision import results
from vision.dynamic import TableRow
from vision.report.exclusions import missing_file_sentences
from vision.report.read_sweep import compared_first
from vision.report.sweep import MAX_MODELS, Sweep
from vision.report.wording import gaps
from vision.report.wording.crossings import far_apart
from vision.report.wording.lead import (
    TESTED_SEPARATELY,
    about,
    lead,
    lead_details,
    number_of_runs,
    pair_answer,
)
from vision.report.wording.models import best_model, worth_in_images
from vision.report.wording.short_answer import MOST, short_answer
from vision.results.convergence import FITTED, FLAT
from vision.text import first_few

MAX_RUNS = 10  # failed and missing runs that are listed


def headline(sweep: Sweep) -> str:
    """Return the answer: of the two models that are compared first, or the best ones by size."""
    return " ".join(_answer(sweep))


def findings(sweep: Sweep) -> list[str]:
    """Return what supports the answer without repeating it, the best models, and the other pairs."""
    items: list[str] = []
    answer, common = _answer(sweep), _common_runs(sweep)
    if comparison := sweep.pair_comparison:
        details = [*lead(comparison), *lead_details(comparison, runs=not common)]
        items.append(" ".join(text for text in details if text not in answer))
    if len(sweep.labels) > 2:
        items.append(" ".join(_best_beyond(sweep, answer)))
    pairs = [pair for pair in _compared_pairs(sweep) if pair != sweep.pair]
    items += [pair_answer(sweep.comparisons[pair], runs=not common) for pair in pairs]
    if sweep.pair is not None and (row := _bounded_equivalence(sweep)):
        items.append(" ".join(worth_in_images(row, *sweep.pair)))
    if len(pairs) + (sweep.pair is not None) > 1:
        items.append(" ".join([TESTED_SEPARATELY, *common]))
    return [item for item in items if item]


def short_answers(source: Path, records: pd.DataFrame) -> Iterator[str]:
    """Yield the answer for each data set of a table of records, as `headline` gives it."""
    groups = records.groupby("data", sort=False)
    for data, runs in groups:
        pair = compared_first(list(dict.fromkeys(runs["label"])))
        sweep = Sweep(source, runs, states={}, pair=pair)
        if sweep.pair_comparison or (pair is None and len(sweep.labels) > 1):
            yield about(pair, str(data) if len(groups) > 1 else "") + headline(sweep)


def warnings(sweep: Sweep) -> list[str]:
    """Return what is missing, and what therefore cannot be tested."""
    items: list[str] = []
    if sweep.is_unfinished:
        items.append(gaps.unfinished(sweep.states, shown=len(sweep.records)))
    failed, missing = (sweep.states.get(state, []) for state in ("failed", "missing"))
    items += [f"Failed: {run}: {results.why_failed(sweep.source / run)}" for run in failed[:MAX_RUNS]]
    if len(failed) > MAX_RUNS:
        items.append(f"Failed too: {', '.join(failed[MAX_RUNS:])}.")
    if missing:
        items.append(f"Missing: {first_few(missing, MAX_RUNS)}.")
    items += sweep.left_out + missing_file_sentences(sweep.missing_files)
    items += [gaps.lacking_runs(label, sizes) for label, sizes in _missing_sizes(sweep).items()]
    items += [gaps.not_compared(sweep.first, other, why) for other, why in sweep.not_compared.items()]
    return items + _too_few(sweep) + _weak_points(sweep)


def _compared_pairs(sweep: Sweep) -> list[tuple[str, str]]:
    """Return each two of a few models that can be tested."""
    return list(sweep.comparisons) if len(sweep.labels) <= MAX_MODELS else []


def _common_runs(sweep: Sweep) -> list[str]:
    """Return the number of runs if it is the same in all of several comparisons, otherwise nothing."""
    known = {tuple(number_of_runs(sweep.comparisons[pair])) for pair in _compared_pairs(sweep)}
    return list(known.pop()) if len(known) == 1 and len(_compared_pairs(sweep)) > 1 else []


def _answer(sweep: Sweep) -> list[str]:
    if comparison := sweep.pair_comparison:
        return short_answer(comparison)
    best = [text for texts in _best_at_the_ends(sweep).values() for text in texts]
    return [best[0], *best[-2:]] if len(best) > MOST else best


def _weak_points(sweep: Sweep) -> list[str]:
    """Return what the sizes and the budget of the sweep keep from being measured."""
    apart = far_apart(sweep.pair_comparison.sizes) if sweep.pair_comparison else []
    items = [" ".join(apart)] if apart else []
    points = _point_means(sweep.records, "train_accuracy")
    if len(low := points[points < FITTED]):
        label, size = low.index[int(low.to_numpy().argmin())]
        items.append(gaps.low_training_accuracy(len(low), len(points), float(low.min()), label, size))
    points = _point_means(sweep.records, "late_loss_fall")
    if len(late := points[points > FLAT]):
        label, size = late.index[int(late.to_numpy().argmax())]
        items.append(gaps.falling_training_loss(len(late), len(points), float(late.max()), label, size))
    return items


def _point_means(records: pd.DataFrame, name: str) -> pd.Series:
    """Return the mean of a column for each model and size; empty without any value."""
    if name not in records:
        return pd.Series(dtype=float)
    values = pd.to_numeric(records[name])
    return values.groupby([records["label"], records["train_size"]]).mean().dropna()


def _too_few(sweep: Sweep) -> list[str]:
    """Return what cannot be tested or drawn because there are too few models, seeds or sizes."""
    items = [gaps.one_model(sweep.labels[0])] if len(sweep.labels) == 1 else []
    single = int((sweep.curves["n"] == 1).sum())
    if single == len(sweep.curves):
        items.append(gaps.ONE_SEED)
    elif single:
        items.append(gaps.points_without_interval(single, len(sweep.curves)))
    items += {1: [gaps.ONE_SIZE], 2: [gaps.TWO_SIZES]}.get(len(sweep.sizes), [])
    return items


def _missing_sizes(sweep: Sweep) -> dict[str, list[int]]:
    """Return the sizes that other models have, by the labels of the models without them."""
    own = sweep.records.groupby("label", sort=False)["train_size"]
    missing = {str(label): sorted(set(sweep.sizes) - set(sizes.tolist())) for label, sizes in own}
    return {label: sizes for label, sizes in missing.items() if sizes}


def _best_beyond(sweep: Sweep, answer: list[str]) -> Iterator[str]:
    """Yield what the answer leaves out about the best models, after the size if that is in the answer."""
    for size, texts in _best_at_the_ends(sweep).items():
        rest = [text for text in texts if text not in answer]
        yield from ([f"At {size:,} images:"] if rest and len(rest) < len(texts) else [])
        yield from rest


def _best_at_the_ends(sweep: Sweep) -> dict[int, list[str]]:
    """Return who leads at the smallest and at the largest size that several models have, by the size."""
    table = sweep.ranking
    table = table[table["models"] >= min(2, int(table["models"].max()))]
    rows: list[TableRow] = table.iloc[[0, -1] if len(table) > 1 else [0]].to_dict("records")
    return {row["train_size"]: best_model(row, models=len(sweep.labels)) for row in rows}


def _bounded_equivalence(sweep: Sweep) -> TableRow | None:
    """Return the row of the second model's best size, if both ends of its interval are known.

    With more images than that the second model was no better.
    """
    if sweep.pair is None or sweep.equivalence is None:
        return None
    curve = sweep.curves[sweep.curves["label"] == sweep.pair[1]]
    best = curve["train_size"].tolist()[int(curve["mean"].to_numpy().argmax())]
    rows: list[TableRow] = sweep.equivalence.to_dict("records")
    row = next(row for row in rows if row["train_size"] == best)
    bounded = row["state"] == "inside" and row["low"] > 0 and row["high"] < math.inf
    return row if bounded else None
