"""The section of a page on how convolutional trained attention is, against the number of training images.

>>> inside_models(sweep).title  # doctest: +SKIP
'Inside the models'
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from vision.report.exclusions import skip_on_error
from vision.report.figures.evaluation_curves import draw_evaluations
from vision.report.figures.inside import FIGURES
from vision.report.measures import SCORE
from vision.report.section import Section
from vision.report.sweep import Sweep
from vision.report.wording import inside as wording
from vision.statistics import (
    SizeTrend,
    attention_of_runs,
    distance_ends,
    kept_by_kernel,
    size_trends,
    with_score,
)


@dataclass(frozen=True, eq=False)
class InsideMeasure:
    """One value per run that is neither better nor worse.

    Attributes:
        name: what it is.
        evaluation: the evaluation that it comes from, or log_inside.
        records: the runs that have it, with the column SCORE.
        is_share: whether it is a share, rather than a number of tokens or pixels.
        answers: a sentence for each model with a trend over the sizes.
    """

    name: str
    evaluation: str
    records: pd.DataFrame
    is_share: bool
    answers: list[str]


def inside_models(sweep: Sweep) -> Section:
    """Return the section of a sweep; it is empty without the evaluations, and a part that fails is named."""
    section = Section("inside", wording.TITLE, wording.CAPTION)
    with skip_on_error("section on the inside of models", section.warnings):
        tables: Mapping[str, pd.DataFrame] = sweep.evaluations
        with skip_on_error("attention distances", section.warnings):
            tables = inside_tables(sweep)
        section.findings.extend(text for one in inside_measures(sweep, tables) for text in one.answers)
        section.figures.extend(draw_evaluations(FIGURES, sweep, tables, section.warnings))
    return section


def inside_tables(sweep: Sweep) -> Mapping[str, pd.DataFrame]:
    """Return the evaluations of a sweep and, as log_inside, the distances that its runs recorded, if any.

    Raises:
        ValueError: a file cannot be read.
    """
    distances = sweep.distances
    return sweep.evaluations | ({"log_inside": distances} if len(distances) else {})


def inside_measures(sweep: Sweep, tables: Mapping[str, pd.DataFrame]) -> list[InsideMeasure]:
    """Return what is known about the inside of the models."""
    found: list[InsideMeasure] = []

    def add(
        name: str, evaluation: str, scores: pd.Series, text: Callable[[str, SizeTrend], str], *, share: bool
    ) -> None:
        records = with_score(sweep.compared, scores, SCORE)
        answers = [text(name, trend) for trend in size_trends(records, metric=SCORE)]
        found.append(InsideMeasure(name, evaluation, records, share, answers))

    if "log_inside" in tables:
        ends = distance_ends(tables["log_inside"])
        added = ends["last"] - ends["first"]
        add("attention distance", "log_inside", added, wording.distance_change, share=False)
    if "kernel_share" in tables:
        means = attention_of_runs(tables["kernel_share"])
        add("kernel share", "kernel_share", means["kernel"], wording.share_change, share=True)
        add("effective width", "kernel_share", means["width"], wording.width_change, share=False)
    if "nearest_cnn" in tables:
        for side, kept in kept_by_kernel(tables["nearest_cnn"]).items():
            add(f"nearest {side} x {side} CNN", "nearest_cnn", kept, wording.kept_change, share=True)
    return found
