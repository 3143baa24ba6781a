"""The figures of a page, each from the runs of a sweep, where it applies to them.

>>> [figure.name for figure in draw_figures(sweep)[0]]  # doctest: +SKIP
['accuracy', 'error', 'gain', 'overfit', 'steps', 'cost', 'confusion', 'classes']
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from vision import plots, results
from vision.plots.sweep.field_map import FIELD, KIND
from vision.report.captions import MEAN, notes
from vision.report.exclusions import said_if_left_out
from vision.report.paired import compared, crossed, paired
from vision.report.sweep import Sweep, curves_of
from vision.report.test_predictions import tested_at
from vision.statistics import ScalingFit, accuracy_curves, class_accuracy, confusion_matrix, scaling_fit
from vision.statistics.scaling import FEWEST

MOST_LINES = 7  # models in a figure of many panels: the best of them
FIELDS_OF_A_MAP = 3  # fields from which on there is one


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure with its name on the page and a sentence on what to look for."""

    name: str
    figure: Figure
    caption: str


def draw_figures(sweep: Sweep) -> tuple[list[Drawn], list[str]]:
    """The figures that apply, in the order of the page; and a sentence for each that an error left out."""
    drawn: list[Drawn] = []
    left_out: list[str] = []
    for name, draw in FIGURES.items():
        with said_if_left_out(f"figure '{name}'", left_out):
            if figure := draw(sweep):
                drawn.append(figure)
    return drawn, left_out


@lru_cache(maxsize=1)
def fitted(sweep: Sweep) -> tuple[list[ScalingFit], dict[str, str]]:
    """The scaling laws of the models; and those that none can be fitted to -> why.

    Empty where no model has sizes enough. Kept for the sweep, as the figure and the table both want them.
    """
    fits, failed = [], {}
    sizes: Any = sweep.records.groupby("label")["train_size"].nunique()
    for label in sweep.labels if sizes.max() >= FEWEST else ():
        try:
            fits.append(scaling_fit(sweep.records, label))
        except ValueError as error:
            failed[label] = str(error)
    return fits, failed


def _accuracy(sweep: Sweep) -> Drawn:
    curves = curves_of(sweep)
    figure = plots.plot_accuracy(curves, title=f"Test accuracy on {sweep.data}", notes=_notes(sweep, curves))
    spread = ", and its 95% interval over seeds" if max(curves["n"]) > 1 else ""
    return Drawn("accuracy", figure, f"Mean test accuracy of each model{spread}.")


def _error(sweep: Sweep) -> Drawn | None:
    if len(sweep.sizes) < 2:
        return None
    curves = curves_of(sweep)
    fits = fitted(sweep)[0] if len(sweep.labels) <= MOST_LINES else []
    figure = plots.plot_error(
        curves, fits, title=f"Test error on {sweep.data}", notes=_notes(sweep, curves), all_lines=_all(sweep)
    )
    laws = ", and the fitted laws" if fits else ""
    caption = f"Test error on two log scales, where a power law is straight{laws}."
    return Drawn("error", figure, caption)


def _gain(sweep: Sweep) -> Drawn | None:
    first, others = compared(sweep)
    found = paired(sweep)[0]
    shown = [sweep.pair[1]] if sweep.pair else others[:MOST_LINES]
    tables = {other: table for other, table in found.items() if other in shown}
    if not tables:
        return None
    more = 0 if sweep.pair else len(found) - len(tables)
    others = list(tables)
    crossings = []
    if sweep.pair:
        with suppress(ValueError):
            places = crossed(sweep, *sweep.pair).crossings
            crossings = [(one.low, one.place, one.high) for one in places]
    figure = plots.plot_difference(
        tables,
        first=first,
        second=others[0] if len(others) == 1 else "the other",
        title=f"Gain of {first} on {sweep.data}",
        notes=_notes(sweep, pd.concat(tables.values())),
        crossings=crossings,
        all_lines=_all(sweep),
    )
    caption = f"Accuracy of {first} less the other's, of runs with the same subset and seed: ahead above 0."
    caption += f" {more} models more are in the table of paired differences." if more else ""
    return Drawn("gain", figure, caption)


def _field_map(sweep: Sweep) -> Drawn | None:
    fields: Any = sweep.records[FIELD] if {FIELD, KIND} <= set(sweep.records) else pd.Series()
    if fields.nunique(dropna=False) < FIELDS_OF_A_MAP:
        return None
    records = sweep.records.assign(**{FIELD: fields.map(_field)})
    curves = accuracy_curves(records, line=FIELD, panel=KIND)
    title = f"Receptive field against training images on {sweep.data}"
    figure = plots.plot_field_map(curves, title=title, notes=_notes(sweep, curves))
    return Drawn("field-map", figure, "Which field does best with how many images: it is framed.")


def _overfit(sweep: Sweep) -> Drawn | None:
    records = _of_the_best(sweep)
    if "train_accuracy" not in records or records["train_accuracy"].isna().all():
        return None
    records = records.dropna(subset=["train_accuracy"])
    train, test = (accuracy_curves(records, metric=f"{part}_accuracy") for part in ("train", "test"))
    small = _notes(sweep, test, records)
    figure = plots.plot_train_test_gap(
        train, test, title=f"Train and test on {sweep.data}", notes=small, all_lines=_all(sweep)
    )
    caption = "A wide gap is overfitting; two low curves are underfitting, by capacity or budget."
    return Drawn("overfit", figure, caption + _only(sweep))


def _steps(sweep: Sweep) -> Drawn | None:
    sizes, records = sweep.sizes, _of_the_best(sweep)
    if not sweep.is_folder:
        return None
    shown = records[
        records["train_size"].isin([sizes[0], sizes[len(sizes) // 2], sizes[-1]])
        & ~records["folder"].isin(sweep.lacking.get(results.METRICS, ()))
    ]
    learning: Any = results.learning_curves(sweep.source, shown)
    if "val_accuracy" not in learning:
        return None
    learning = learning.dropna(subset=["val_accuracy"])
    if learning["step"].nunique() < 2:
        return None
    small = _notes(sweep, accuracy_curves(shown), shown, interval="mean")
    figure = plots.plot_learning_curves(
        learning, title=f"Validation on the way, {sweep.data}", notes=small, all_lines=_all(sweep)
    )
    caption = "Accuracy on the validation images against optimizer steps: was the budget enough?"
    return Drawn("steps", figure, caption + _only(sweep))


def _cost(sweep: Sweep) -> Drawn | None:
    if not {"params", "macs"} <= set(sweep.records):
        return None
    largest: Any = sweep.records[sweep.records["train_size"] == sweep.sizes[-1]]
    largest = largest.dropna(subset=["params", "macs"])
    if largest.empty:
        return None
    curves = accuracy_curves(largest)
    costs: Any = largest.groupby("label")[["params", "macs"]].first().reset_index()
    title = f"Accuracy and cost with {sweep.sizes[-1]:,} images of {sweep.data}"
    figure = plots.plot_cost(
        curves.merge(costs, on="label"),
        title=title,
        notes=_notes(sweep, curves, largest),
        all_lines=_all(sweep),
    )
    return Drawn("cost", figure, "Accuracy with the most images against what a model costs.")


def _confusion(sweep: Sweep) -> Drawn | None:
    best, size = sweep.labels[0], sweep.sizes[-1]
    tested = tested_at(sweep, [best], size).get(best)
    if tested is None:
        return None
    matrix = confusion_matrix(tested.predictions, tested.labels, len(tested.classes))
    runs: Any = sweep.records
    runs = runs[(runs["label"] == best) & (runs["train_size"] == size)]
    figure = plots.plot_confusion(
        matrix,
        tested.classes,
        title=f"{best} with {size:,} images of {sweep.data}",
        notes=f"{len(tested.labels):,} test images, all runs together; {_notes(sweep, None, runs)}",
    )
    return Drawn("confusion", figure, "What each class was taken for, in percents of it.")


def _classes(sweep: Sweep) -> Drawn | None:
    shown = sweep.pair or sweep.labels[:2]
    rows = [
        {"label": label, "train_size": size, "seed": seed, "subset_seed": subset, "class": name}
        | {"accuracy": accuracy}
        for label in shown
        for size in sweep.sizes
        for tested in tested_at(sweep, [label], size).values()
        for seed, subset, run in zip(tested.seeds, tested.subsets, tested.predictions, strict=True)
        for name, accuracy in zip(
            tested.classes, class_accuracy(run, tested.labels, len(tested.classes)), strict=True
        )
    ]
    if not rows:
        return None
    table = accuracy_curves(pd.DataFrame(rows), panel="class", metric="accuracy")
    runs: Any = sweep.records[sweep.records["label"].isin(shown)]
    small = _notes(sweep, table, runs)
    figure = plots.plot_class_accuracy(
        table, title=f"Each class of {sweep.data}", notes=small, all_lines=_all(sweep)
    )
    return Drawn("classes", figure, "Test accuracy of each class: where models differ.")


FIGURES: dict[str, Callable[[Sweep], Drawn | None]] = {
    **{"accuracy": _accuracy, "error": _error, "gain": _gain, "field-map": _field_map},
    **{"overfit": _overfit, "steps": _steps, "cost": _cost, "confusion": _confusion, "classes": _classes},
}


def _of_the_best(sweep: Sweep) -> Any:
    """Runs of the pair and of the best others, as many as a figure of panels has room for."""
    shown = list(dict.fromkeys([*(sweep.pair or ()), *sweep.labels]))[:MOST_LINES]
    return sweep.records[sweep.records["label"].isin(shown)]


def _all(sweep: Sweep) -> list[str]:
    """All models, in the order in which the first figure gives them their looks."""
    return list(dict.fromkeys(curves_of(sweep)["label"]))


def _only(sweep: Sweep) -> str:
    """Says so where `_of_the_best` leaves models out."""
    models = len(sweep.labels)
    return f" Shown are {MOST_LINES} of {models} models." if models > MOST_LINES else ""


def _notes(
    sweep: Sweep,
    curves: pd.DataFrame | None,
    records: pd.DataFrame | None = None,
    *,
    interval: str = MEAN,
) -> str:
    """The small print; of some of the runs, if `records` gives them."""
    if records is not None and len(records) < len(sweep.records):
        return notes(records, curves, interval=interval)
    total = sum(map(len, sweep.states.values())) or None
    return notes(sweep.records, curves, total=total, interval=interval)


def _field(kernel_size: Any) -> Any:
    return "all" if pd.isna(kernel_size) else f"{kernel_size:g} x {kernel_size:g}"
