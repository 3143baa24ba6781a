"""The figures of a page, each from the runs of a sweep, where it applies to them.

>>> [figure.name for figure in draw_figures(sweep)[0]]  # doctest: +SKIP
['gain', 'accuracy', 'error', 'overfit', 'steps', 'cost', 'confusion', 'classes']
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from vision import plots, results
from vision.plots.sweep.field_map import FIELD, KIND
from vision.report.exclusions import skip_on_error
from vision.report.run_predictions import predictions_at
from vision.report.small_print import small_print
from vision.report.sweep import Sweep
from vision.report.wording import captions
from vision.report.wording.methods import MEAN, MEDIAN
from vision.statistics import accuracy_curves, all_or_nothing, class_accuracy, confusion_matrix

MAX_LINES = 7  # models in a figure of many panels: the best of them
MIN_FIELDS = 3  # from which on a map of fields is drawn


@dataclass(frozen=True, slots=True)
class NamedFigure:
    """A figure with its name on the page, its caption, and the same on linear axes, if there is a choice."""

    name: str
    figure: Figure
    caption: str
    linear: Figure | None = None


def draw_figures(sweep: Sweep) -> tuple[list[NamedFigure], list[str]]:
    """Draw the figures that apply, in the order of the page; also return a sentence for each that failed."""
    figures: list[NamedFigure] = []
    failures: list[str] = []
    for name, draw in FIGURES.items():
        with skip_on_error(f"figure '{name}'", failures):
            if figure := draw(sweep):
                figures.append(figure)
    return figures, failures


def _accuracy(sweep: Sweep) -> NamedFigure:
    curves, apart = sweep.curves, all_or_nothing(sweep.scores)
    draw = partial(
        plots.plot_accuracy,
        curves,
        title=f"Test accuracy on {sweep.data}",
        notes=_notes(sweep, curves, interval=MEDIAN if apart else MEAN),
        runs=sweep.scores,
        centre="median" if apart else "mean",
        intervals=not apart,
    )
    caption = captions.accuracy_figure(intervals=max(curves["n"]) > 1)
    if apart:
        caption = captions.ALL_OR_NOTHING_FIGURE
    return NamedFigure("accuracy", draw(), caption, draw(scale="linear") if len(sweep.sizes) > 1 else None)


def _error(sweep: Sweep) -> NamedFigure | None:
    if len(sweep.sizes) < 2:
        return None
    fits = [fit for fit in sweep.fits if fit.fits] if len(sweep.labels) <= MAX_LINES else []
    draw = partial(
        plots.plot_error,
        sweep.curves,
        fits,
        title=f"Test error on {sweep.data}",
        notes=_notes(sweep, sweep.curves),
        runs=sweep.scores,
        all_lines=_all_lines(sweep),
    )
    return NamedFigure("error", draw(), captions.error_figure(laws=bool(fits)), draw(scale="linear"))


def _gain(sweep: Sweep) -> NamedFigure | None:
    shown = [sweep.pair[1]] if sweep.pair else sweep.others[:MAX_LINES]
    tables = {other: table for other, table in sweep.differences.items() if other in shown}
    if not tables:
        return None
    comparison = sweep.pair_comparison
    crossings = comparison.crossings if comparison else ()
    over = f" over {next(iter(tables))}" if len(tables) == 1 else ""
    figure = plots.plot_difference(
        tables,
        first=sweep.first,
        second=next(iter(tables)) if len(tables) == 1 else "the other",
        title=f"Lead of {sweep.first}{over} on {sweep.data}",
        pairs=sweep.pairs_of_runs,
        notes=_notes(sweep, pd.concat(tables.values())),
        crossings=[(one.low, one.size, one.high) for one in crossings],
        all_lines=_all_lines(sweep),
    )
    not_shown = 0 if sweep.pair else len(sweep.differences) - len(tables)
    return NamedFigure("gain", figure, captions.gain_figure(sweep.first, not_shown=not_shown))


def _field_map(sweep: Sweep) -> NamedFigure | None:
    if not {FIELD, KIND} <= set(sweep.records):
        return None
    fields = sweep.records[FIELD]
    if fields.nunique(dropna=False) < MIN_FIELDS:
        return None
    records = sweep.records.assign(**{FIELD: fields.map(_field_name)})
    curves = accuracy_curves(records, line=FIELD, panel=KIND)
    title = f"Receptive field against training images on {sweep.data}"
    figure = plots.plot_field_map(curves, title=title, notes=_notes(sweep, curves))
    return NamedFigure("field-map", figure, captions.FIELD_MAP_FIGURE)


def _train_test_gap(sweep: Sweep) -> NamedFigure | None:
    records = _best_runs(sweep)
    if "train_accuracy" not in records or records["train_accuracy"].isna().all():
        return None
    records = records.dropna(subset=["train_accuracy"])
    train, test = (accuracy_curves(records, metric=f"{part}_accuracy") for part in ("train", "test"))
    figure = plots.plot_train_test_gap(
        train,
        test,
        title=f"Training and test accuracy on {sweep.data}",
        notes=_notes(sweep, test, records),
        all_lines=_all_lines(sweep),
    )
    return NamedFigure("overfit", figure, captions.OVERFIT_FIGURE + _shown_models(sweep))


def _learning_curves(sweep: Sweep) -> NamedFigure | None:
    if not sweep.is_folder:
        return None
    sizes, records = sweep.sizes, _best_runs(sweep)
    shown = records[
        records["train_size"].isin([sizes[0], sizes[len(sizes) // 2], sizes[-1]])
        & ~records["folder"].isin(sweep.missing_files.get(results.METRICS, []))
    ]
    learning = results.learning_curves(sweep.source, shown)
    if "val_accuracy" not in learning:
        return None
    learning = learning.dropna(subset=["val_accuracy"])
    if learning["step"].nunique() < 2:
        return None
    notes = _notes(sweep, accuracy_curves(shown), shown, interval="mean")
    figure = plots.plot_learning_curves(
        learning,
        title=f"Validation accuracy during training on {sweep.data}",
        notes=notes,
        all_lines=_all_lines(sweep),
    )
    return NamedFigure("steps", figure, captions.STEPS_FIGURE + _shown_models(sweep))


def _head_curves(sweep: Sweep) -> NamedFigure | None:
    if not sweep.is_folder:
        return None
    records = _best_runs(sweep)
    records = records[~records["folder"].isin(sweep.missing_files.get(results.METRICS, []))]
    heads = results.head_curves(sweep.source, records)
    if heads.empty or heads["distance"].isna().all():
        return None
    each_run = ["label", "train_size", "seed", "step"]
    distances = heads.groupby(each_run, sort=False)["distance"].mean().reset_index().dropna()
    measured = records[records["label"].isin(distances["label"])]
    figure = plots.plot_learning_curves(
        distances,
        title=f"Attention distance during training on {sweep.data}",
        notes=_notes(sweep, accuracy_curves(measured), measured, interval="mean"),
        metric="distance",
        line="train_size",
        panel="label",
    )
    return NamedFigure("heads", figure, captions.HEADS_FIGURE)


def _cost(sweep: Sweep) -> NamedFigure | None:
    if not {"params", "macs"} <= set(sweep.records):
        return None
    largest = sweep.records[sweep.records["train_size"] == sweep.sizes[-1]]
    largest = largest.dropna(subset=["params", "macs"])
    if largest.empty:
        return None
    curves = accuracy_curves(largest)
    costs = largest.groupby("label")[["params", "macs"]].first().reset_index()
    figure = plots.plot_cost(
        curves.merge(costs, on="label"),
        title=f"Accuracy and cost with {sweep.sizes[-1]:,} images of {sweep.data}",
        notes=_notes(sweep, curves, largest),
        all_lines=_all_lines(sweep),
    )
    return NamedFigure("cost", figure, captions.COST_FIGURE)


def _confusion(sweep: Sweep) -> NamedFigure | None:
    best, size = sweep.labels[0], sweep.sizes[-1]
    runs = predictions_at(sweep, [best], size).get(best)
    if runs is None:
        return None
    matrix = confusion_matrix(runs.predictions, runs.labels, len(runs.classes))
    records = sweep.records
    records = records[(records["label"] == best) & (records["train_size"] == size)]
    figure = plots.plot_confusion(
        matrix,
        runs.classes,
        title=f"{best} with {size:,} images of {sweep.data}",
        notes=captions.confusion_notes(len(runs.labels), _notes(sweep, None, records)),
    )
    return NamedFigure("confusion", figure, captions.CONFUSION_FIGURE)


def _classes(sweep: Sweep) -> NamedFigure | None:
    shown = sweep.pair or sweep.labels[:2]
    rows = [row for label in shown for size in sweep.sizes for row in _class_rows(sweep, label, size)]
    if not rows:
        return None
    table = accuracy_curves(pd.DataFrame(rows), panel="class", metric="accuracy")
    records = sweep.records[sweep.records["label"].isin(shown)]
    figure = plots.plot_class_accuracy(
        table,
        title=f"Test accuracy by class on {sweep.data}",
        notes=_notes(sweep, table, records),
        all_lines=_all_lines(sweep),
    )
    return NamedFigure("classes", figure, captions.CLASSES_FIGURE)


def _class_rows(sweep: Sweep, label: str, size: int) -> list[dict[str, str | int | float]]:
    """Return one row per run and class of a model at a size."""
    runs = predictions_at(sweep, [label], size).get(label)
    if runs is None:
        return []
    return [
        {"label": label, "train_size": size, "seed": seed, "subset_seed": subset, "class": name}
        | {"accuracy": accuracy}
        for seed, subset, given in zip(runs.seeds, runs.subsets, runs.predictions, strict=True)
        for name, accuracy in zip(
            runs.classes, class_accuracy(given, runs.labels, len(runs.classes)), strict=True
        )
    ]


FIGURES: dict[str, Callable[[Sweep], NamedFigure | None]] = {
    **{"gain": _gain, "accuracy": _accuracy, "error": _error, "field-map": _field_map},
    **{"overfit": _train_test_gap, "steps": _learning_curves, "heads": _head_curves},
    **{"cost": _cost, "confusion": _confusion, "classes": _classes},
}


def _best_runs(sweep: Sweep) -> pd.DataFrame:
    """Return the runs of the pair and of the best others, up to MAX_LINES models."""
    shown = list(dict.fromkeys([*(sweep.pair or ()), *sweep.labels]))[:MAX_LINES]
    return sweep.records[sweep.records["label"].isin(shown)]


def _all_lines(sweep: Sweep) -> list[str]:
    """Return all models, in the order in which the first figure gives them their line styles."""
    return list(dict.fromkeys(sweep.curves["label"].tolist()))


def _shown_models(sweep: Sweep) -> str:
    return captions.shown_models(min(MAX_LINES, len(sweep.labels)), len(sweep.labels))


def _notes(
    sweep: Sweep,
    curves: pd.DataFrame | None,
    records: pd.DataFrame | None = None,
    *,
    interval: str = MEAN,
) -> str:
    """Return the small print, of some of the runs if `records` has fewer than the sweep."""
    if records is not None and len(records) < len(sweep.records):
        return small_print(records, curves, interval=interval)
    return small_print(sweep.records, curves, total=sweep.total, interval=interval)


def _field_name(kernel_size: float) -> str:
    return "all" if pd.isna(kernel_size) else f"{kernel_size:g} x {kernel_size:g}"
