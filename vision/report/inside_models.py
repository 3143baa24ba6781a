"""The section of a page on how convolutional trained attention is, against the number of training images.

>>> inside_models(sweep).title  # doctest: +SKIP
'Inside the models'
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from vision.report.exclusions import skip_on_error
from vision.report.figures.inside import FIGURES
from vision.report.measures import SCORE, read_tables
from vision.report.section import Section
from vision.report.sweep import Sweep
from vision.report.wording import inside as wording
from vision.statistics import SizeTrend, size_trends, with_score


@dataclass(frozen=True, eq=False)
class InsideMeasure:
    """One value per run that is neither better nor worse.

    Attributes:
        name: what it is.
        evaluation: the evaluation that it comes from.
        records: the runs that have it, with the column SCORE.
        is_share: whether it is a share, rather than a number of tokens.
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
        tables = read_tables(sweep)
        section.findings.extend(text for one in inside_measures(sweep, tables) for text in one.answers)
        for evaluation, drawings in FIGURES.items():
            for draw in drawings if evaluation in tables else ():
                with skip_on_error(f"figure '{draw.__name__}'", section.warnings):
                    section.figures.append(draw(sweep, tables))
    return section


def inside_measures(sweep: Sweep, tables: Mapping[str, pd.DataFrame]) -> list[InsideMeasure]:
    """Return what is known about the inside of the models."""
    found: list[InsideMeasure] = []

    def add(
        name: str, evaluation: str, scores: pd.Series, text: Callable[[str, SizeTrend], str], *, share: bool
    ) -> None:
        records = with_score(sweep.records, scores, SCORE)
        answers = [text(name, trend) for trend in size_trends(records, metric=SCORE)]
        found.append(InsideMeasure(name, evaluation, records, share, answers))

    if "kernel_share" in tables:
        means = tables["kernel_share"].groupby("folder")[["kernel", "width"]].mean()
        shares = means["kernel"].clip(lower=0)  # its estimate may be slightly negative
        add("kernel share", "kernel_share", shares, wording.share_change, share=True)
        add("effective width", "kernel_share", means["width"], wording.width_change, share=False)
    if "nearest_cnn" in tables:
        kept = tables["nearest_cnn"].pivot_table(index="folder", columns="level", values="kept")
        for side in sorted(set(kept.columns) - {0}):
            name = f"nearest {side:g} x {side:g} CNN"
            add(name, "nearest_cnn", kept[side].dropna(), wording.kept_change, share=True)
    return found
