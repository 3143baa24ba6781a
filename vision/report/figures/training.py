"""Figures of the training: how far the models fit their images, and on the way there; and what they cost."""

from vision import plots, results
from vision.report.figures.named_figure import NamedFigure
from vision.report.figures.shown import all_lines, best_runs, notes_of, shown_models
from vision.report.sweep import Sweep
from vision.report.wording import captions
from vision.statistics import accuracy_curves


def train_test_gap(sweep: Sweep) -> NamedFigure | None:
    """Training and test accuracy; None if the first was not recorded."""
    records = best_runs(sweep)
    if "train_accuracy" not in records or records["train_accuracy"].isna().all():
        return None
    records = records.dropna(subset=["train_accuracy"])
    train, test = (accuracy_curves(records, metric=f"{part}_accuracy") for part in ("train", "test"))
    figure = plots.plot_train_test_gap(
        train,
        test,
        title=f"Training and test accuracy on {sweep.data}",
        notes=notes_of(sweep, test, records),
        all_lines=all_lines(sweep),
    )
    return NamedFigure("overfit", figure, captions.OVERFIT_FIGURE + shown_models(sweep))


def learning_curves(sweep: Sweep) -> NamedFigure | None:
    """Validation accuracy during training; None without its files."""
    if not sweep.is_folder:
        return None
    sizes, records = sweep.sizes, best_runs(sweep)
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
    notes = notes_of(sweep, accuracy_curves(shown), shown, interval="mean")
    figure = plots.plot_learning_curves(
        learning,
        title=f"Validation accuracy during training on {sweep.data}",
        notes=notes,
        all_lines=all_lines(sweep),
    )
    return NamedFigure("steps", figure, captions.STEPS_FIGURE + shown_models(sweep))


def cost(sweep: Sweep) -> NamedFigure | None:
    """Accuracy at the largest size against parameters and multiply-adds; None if these are unknown."""
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
        notes=notes_of(sweep, curves, largest),
        all_lines=all_lines(sweep),
    )
    return NamedFigure("cost", figure, captions.COST_FIGURE)
