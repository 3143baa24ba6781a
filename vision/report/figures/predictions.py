"""Figures of the predictions: what is confused with what, and the accuracy of each class."""

import pandas as pd

from vision import plots
from vision.report.figures.named_figure import NamedFigure
from vision.report.figures.shown import all_lines, notes_of
from vision.report.run_predictions import predictions_at
from vision.report.sweep import Sweep
from vision.report.wording import captions
from vision.statistics import accuracy_curves, class_accuracy, confusion_matrix


def confusion(sweep: Sweep) -> NamedFigure | None:
    """The confusion matrix of the best model at the largest size; None without its predictions."""
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
        notes=captions.confusion_notes(len(runs.labels), notes_of(sweep, None, records)),
    )
    return NamedFigure("confusion", figure, captions.CONFUSION_FIGURE)


def classes(sweep: Sweep) -> NamedFigure | None:
    """Accuracy by class of the pair or the two best models; None without their predictions."""
    shown = sweep.pair or sweep.labels[:2]
    rows = [row for label in shown for size in sweep.sizes for row in _class_rows(sweep, label, size)]
    if not rows:
        return None
    table = accuracy_curves(pd.DataFrame(rows), panel="class", metric="accuracy")
    records = sweep.records[sweep.records["label"].isin(shown)]
    figure = plots.plot_class_accuracy(
        table,
        title=f"Test accuracy by class on {sweep.data}",
        notes=notes_of(sweep, table, records),
        all_lines=all_lines(sweep),
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
