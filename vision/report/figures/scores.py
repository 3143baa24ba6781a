"""Figures of the test scores over training-set size: accuracy, error, and the lead of a model."""

from functools import partial

import pandas as pd

from vision import plots
from vision.report.figures.named_figure import NamedFigure
from vision.report.figures.shown import MAX_LINES, all_lines, notes_of
from vision.report.sweep import Sweep
from vision.report.wording import captions
from vision.report.wording.methods import MEAN, MEDIAN
from vision.statistics import all_or_nothing


def accuracy(sweep: Sweep) -> NamedFigure:
    """Accuracy over training-set size, on a logarithmic and a linear axis."""
    curves, apart = sweep.curves, all_or_nothing(sweep.scores)
    draw = partial(
        plots.plot_accuracy,
        curves,
        title=f"Test accuracy on {sweep.data}",
        notes=notes_of(sweep, curves, interval=MEDIAN if apart else MEAN),
        runs=sweep.scores,
        centre="median" if apart else "mean",
        intervals=not apart,
    )
    caption = captions.accuracy_figure(intervals=max(curves["n"]) > 1)
    if apart:
        caption = captions.ALL_OR_NOTHING_FIGURE
    return NamedFigure("accuracy", draw(), caption, draw(scale="linear") if len(sweep.sizes) > 1 else None)


def error(sweep: Sweep) -> NamedFigure | None:
    """Error with the fitted laws; None for a single size."""
    if len(sweep.sizes) < 2:
        return None
    fits = [fit for fit in sweep.fits if fit.fits] if len(sweep.labels) <= MAX_LINES else []
    draw = partial(
        plots.plot_error,
        sweep.curves,
        fits,
        title=f"Test error on {sweep.data}",
        notes=notes_of(sweep, sweep.curves),
        runs=sweep.scores,
        all_lines=all_lines(sweep),
    )
    return NamedFigure("error", draw(), captions.error_figure(laws=bool(fits)), draw(scale="linear"))


def gain(sweep: Sweep) -> NamedFigure | None:
    """The lead of the first model over the second or over the others; None without pairs of runs."""
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
        notes=notes_of(sweep, pd.concat(tables.values())),
        crossings=[(one.low, one.size, one.high) for one in crossings],
        all_lines=all_lines(sweep),
    )
    not_shown = 0 if sweep.pair else len(sweep.differences) - len(tables)
    paired = all(sweep.is_paired(other) for other in tables)
    caption = captions.gain_figure(sweep.first, not_shown=not_shown, paired=paired)
    return NamedFigure("gain", figure, caption)
