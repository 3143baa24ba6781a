"""Figures of how far heads attend, of runs that recorded it while they were trained.

>>> during_training(sweep, {"log_inside": sweep.distances}).name  # doctest: +SKIP
'heads'
"""

from vision import plots
from vision.report.figures.evaluation_curves import Tables, curves_by_size
from vision.report.figures.named_figure import NamedFigure
from vision.report.figures.shown import all_lines, best_runs, notes_of
from vision.report.sweep import Sweep
from vision.report.wording import inside as wording
from vision.statistics import accuracy_curves, distance_ends


def during_training(sweep: Sweep, tables: Tables) -> NamedFigure:
    """The distances at each validation, a panel for each model."""
    distances, best = tables["log_inside"], best_runs(sweep)
    distances = distances[distances["folder"].isin(best["folder"])]
    runs = best[best["folder"].isin(distances["folder"])]
    figure = plots.plot_learning_curves(
        distances,
        title=f"Attention distance during training on {sweep.data}",
        notes=notes_of(sweep, accuracy_curves(runs), runs, interval="mean"),
        metric="distance",
        line="train_size",
        panel="label",
    )
    return NamedFigure("heads", figure, wording.HEADS_FIGURE)


def before_and_after(sweep: Sweep, tables: Tables) -> NamedFigure:
    """The distances of new and of trained models against training-set size, a panel each."""
    ends = distance_ends(tables["log_inside"])
    runs = sweep.compared[sweep.compared["folder"].isin(ends.index)]
    panels = {"before training": ends["first"], "after training": ends["last"]}
    curves = curves_by_size(sweep, panels, is_share=False)
    figure = plots.plot_accuracy(
        curves,
        title=f"How far heads attend before and after training on {sweep.data}",
        notes=notes_of(sweep, curves, runs),
        metric="attention distance",
        panel="measure",
        unit=" pixels",
        mark_best=False,
        all_lines=all_lines(sweep),
    )
    return NamedFigure("distance", figure, wording.DISTANCE_FIGURE)
