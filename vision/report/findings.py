"""The answer in words: who is ahead at which size and how sure that is, and what stands in its way.

>>> headline(sweep)  # doctest: +SKIP
'CNN ahead up to about 1,900 images (1,200 to 2,700); from there ViT (n = 5 pairs a size)'
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from itertools import combinations
from typing import Any

import pandas as pd

from vision import results
from vision.report.exclusions import said_of_lacking
from vision.report.paired import compared, crossed, equivalent, paired
from vision.report.sweep import Sweep, curves_of
from vision.statistics import crossover, leaders

FEW = 4  # models up to which each is compared with each
SHOWN = 10  # failed and missing runs that are shown each
EACH_BY_ITSELF = "Each pair is judged by itself, at level 0.05 over its sizes."


def headline(sweep: Sweep) -> str:
    """One sentence: of the two models that are compared first, or the best at either end of the sizes."""
    if sweep.pair is not None:
        with suppress(ValueError):  # of one seed nothing can be said
            return _sentence(str(crossed(sweep, *sweep.pair)))
    return _sentence(_best_at_the_ends(sweep))


def findings(sweep: Sweep) -> list[str]:
    """Further sentences: the other pairs of few models, what the first model's bias is worth in images.

    Of several pairs, headline included, the last sentence says how each is judged.
    """
    labels, said = sweep.labels, []
    if sweep.pair is not None and len(labels) > 2:
        said.append(f"Of all models, {_best_at_the_ends(sweep)}.")
    pairs = of_pairs(sweep.records, labels, but=sweep.pair)
    said += pairs
    if sweep.pair is not None:
        with suppress(ValueError):
            said.append(_worth(sweep, *sweep.pair))
    if len(pairs) + (sweep.pair is not None) > 1:
        said.append(EACH_BY_ITSELF)
    return said


def of_pairs(
    records: pd.DataFrame, labels: Sequence[str], *, but: Sequence[str] | None = None, where: str = ""
) -> list[str]:
    """A sentence for each two models that are not `but`, if they are few and have several seeds."""
    said = []
    for pair in combinations(labels, 2) if len(labels) <= FEW else ():
        if set(pair) != set(but or ()):
            with suppress(ValueError):  # one seed: nothing can be said of chance
                said.append(f"{' against '.join(pair)}{where}: {crossover(records, *pair)}.")
    return said


def warnings(sweep: Sweep) -> list[str]:
    """What is missing, and what therefore cannot be said."""
    said = []
    if sweep.unfinished:
        counts = ", ".join(f"{len(runs)} {state}" for state, runs in sweep.unfinished.items())
        total = sum(map(len, sweep.states.values()))
        said.append(
            f"This sweep is not finished: of {total} runs {counts}. This page is of {len(sweep.records)}."
        )
    failed, missing = (sweep.states.get(state, []) for state in ("failed", "missing"))
    said += [f"Failed: {run}: {results.why_failed(sweep.source / run)}" for run in failed[:SHOWN]]
    if len(failed) > SHOWN:
        said.append(f"Failed too: {', '.join(failed[SHOWN:])}.")
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        said.append(f"Missing: {', '.join(missing[:SHOWN])}{more}.")
    said += sweep.left_out + said_of_lacking(sweep.lacking)
    said += [
        f"{label} has no runs with {', '.join(f'{size:,}' for size in sizes)} images."
        for label, sizes in _without(sweep).items()
    ]
    first = compared(sweep)[0]
    for other, why in paired(sweep)[1].items():
        said.append(f"{first} and {other} are not compared run by run: {why}.")
    if len(sweep.labels) == 1:
        said.append(f"There is one model only, {sweep.labels[0]}: nothing to compare it with.")
    runs: Any = curves_of(sweep)["n"]
    if (runs == 1).all():
        said.append(
            "There is one seed only, so no interval is drawn and nothing can be said of chance: train with "
            "more seeds, as seed=0,1,2."
        )
    elif (runs == 1).any():
        said.append(f"{(runs == 1).sum()} of {len(runs)} points have one run or subset, and no interval.")
    if len(sweep.sizes) == 1:
        said.append("There is one training-set size only: no curve, no crossing, no law.")
    if len(sweep.sizes) == 2:
        said.append("Two training-set sizes are too few for a scaling law, which needs three.")
    return said


def _without(sweep: Sweep) -> dict[str, list[int]]:
    """Models that lack sizes which others have -> these sizes."""
    own: Any = sweep.records.groupby("label", sort=False)["train_size"]
    return {label: gone for label, sizes in own if (gone := sorted(set(sweep.sizes) - set(sizes)))}


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _best_at_the_ends(sweep: Sweep) -> str:
    """Who leads at the smallest and at the largest size that several models have."""
    table: Any = leaders(sweep.records)
    table = table[table["models"] >= min(2, table["models"].max())]
    ends = [0, -1] if len(table) > 1 else [0]
    said = "; ".join(_led(row, len(sweep.labels)) for row in table.iloc[ends].to_dict("records"))
    tested = len(ends) > 1 and table["models"].max() > 1
    return f"{said} (each size judged by itself)" if tested else said


def _led(row: dict[Any, Any], models: int) -> str:
    """At one size, of so many models in all."""
    images, mean, others = f"{row['train_size']:,} images", f"{100 * row['mean']:.1f}%", row["models"] - 1
    images += f" (which {row['models']} of {models} models have)" if 0 < others < models - 1 else ""
    if not others:
        return f"with {images} {row['best']} reaches {mean}"
    if row["n"] < 2:
        why = "for want of common seeds" if row["n"] == 0 else "with one seed"
        return f"at {images} {row['best']} has the best mean ({mean}), not tested {why}"
    near = row["within_chance"]
    if not near:
        return f"at {images} {row['best']} has the best mean ({mean}), ahead of all others beyond chance"
    many = f"any of the {others} others" if len(near) == others else f"{len(near)} of the {others} others"
    named = ", ".join(near) if len(near) < FEW else many
    return f"at {images} {row['best']} has the best mean ({mean}), not told apart from {named}"


def _worth(sweep: Sweep, first: str, second: str) -> str:
    """How many images of the first model's are as good as the most from which the second still gains."""
    table = equivalent(sweep, first, second).set_index("train_size")
    means: Any = curves_of(sweep)
    means = means[means["label"] == second].set_index("train_size")["mean"]
    size = means.idxmax()  # with more it was no better
    row = table.loc[size]
    if row["state"] != "inside" or not (row["low"] > 0 and row["high"] < math.inf):
        raise ValueError(f"of {size} images both ends of the interval are not within reach")
    return (
        f"In images: what {second} reaches with {size:,}, {first} reaches with about "
        f"{row['images']:,.0f} ({row['low']:,.0f} to {row['high']:,.0f}), a factor of {row['worth']:.1f}."
    )
