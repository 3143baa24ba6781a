"""Curves of what `vision evaluate` measured, against the training-set size, and how they are drawn.

>>> curves_by_size(sweep, {"unchanged images": scores})  # doctest: +SKIP
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from vision import plots
from vision.report.exclusions import skip_on_error
from vision.report.figures.named_figure import NamedFigure
from vision.report.figures.shown import all_lines, notes_of
from vision.report.measures import SCORE
from vision.report.sweep import Sweep
from vision.statistics import accuracy_curves, with_score

Tables = Mapping[str, pd.DataFrame]
Drawings = Mapping[str, Sequence[Callable[[Sweep, Tables], NamedFigure]]]  # by evaluation


def draw_evaluations(
    drawings: Drawings, sweep: Sweep, tables: Tables, failures: list[str]
) -> list[NamedFigure]:
    """Draw the figures of the evaluations that have a table; add a sentence for each that fails."""
    figures: list[NamedFigure] = []
    for evaluation, draws in drawings.items():
        for draw in draws if evaluation in tables else ():
            with skip_on_error(f"figure '{draw.__name__}'", failures):
                figures.append(draw(sweep, tables))
    return figures


def curves_by_size(sweep: Sweep, panels: Mapping[str, pd.Series], *, is_share: bool = True) -> pd.DataFrame:
    """Return curves of scores of runs, which are given by folder, against training-set size.

    Args:
        sweep: the runs.
        panels: scores by the name of their panel, which is the column measure.
        is_share: whether the scores are in [0, 1].
    """
    parts = {name: with_score(sweep.compared, scores, SCORE) for name, scores in panels.items()}
    curves = [
        accuracy_curves(part.assign(measure=name), panel="measure", metric=SCORE, is_share=is_share)
        for name, part in parts.items()
        if len(part)
    ]
    return pd.concat(curves, ignore_index=True)


def draw_curves(
    sweep: Sweep,
    curves: pd.DataFrame,
    table: pd.DataFrame,
    title: str,
    *,
    metric: str = "accuracy",
    images: int | None = None,
    **options: Any,
) -> plots.Figure:
    """Draw curves of the runs of a table; the small print has their number of test images.

    Args:
        sweep: the runs.
        curves: what is drawn.
        table: the evaluation.
        title: of the figure.
        metric: what the curves are.
        images: number of test images; None takes the largest of the table.
        options: of `plot_accuracy`.
    """
    runs = sweep.compared[sweep.compared["folder"].isin(table["folder"])]
    images = int(table["images"].max()) if images is None else images
    return plots.plot_accuracy(
        curves,
        title=title,
        notes=f"{notes_of(sweep, curves, runs)}; {images:,} test images",
        metric=metric,
        mark_best=False,
        all_lines=all_lines(sweep),
        **options,
    )
