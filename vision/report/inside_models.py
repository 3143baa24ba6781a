"""The section of a page on how convolutional trained attention is, against the number of training images.

>>> inside_models(sweep).title  # doctest: +SKIP
'Inside the models'
"""

from collections.abc import Mapping

import pandas as pd

from vision.report.exclusions import skip_on_error
from vision.report.figures.inside import FIGURES
from vision.report.measures import SCORE, read_tables
from vision.report.section import Section
from vision.report.sweep import Sweep
from vision.report.wording import inside as wording
from vision.statistics import SizeTrend, size_trends, with_score


def inside_models(sweep: Sweep) -> Section:
    """Return the section of a sweep; it is empty without the evaluations, and a part that fails is named."""
    section = Section("inside", wording.TITLE, wording.CAPTION)
    with skip_on_error("section on the inside of models", section.warnings):
        tables = read_tables(sweep)
        section.findings.extend(_findings(sweep, tables))
        for evaluation, drawings in FIGURES.items():
            for draw in drawings if evaluation in tables else ():
                with skip_on_error(f"figure '{draw.__name__}'", section.warnings):
                    section.figures.append(draw(sweep, tables))
    return section


def _findings(sweep: Sweep, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return how each model changes with the number of images."""
    found: list[str] = []
    if "kernel_share" in tables:
        means = tables["kernel_share"].groupby("folder")[["kernel", "width"]].mean()
        found += [wording.kernel_share(trend) for trend in _trends(sweep, means["kernel"])]
        found += [wording.width(trend) for trend in _trends(sweep, means["width"])]
    if "nearest_cnn" in tables:
        kept = tables["nearest_cnn"].groupby("level")
        for side, rows in kept:
            if side:
                scores = rows.set_index("folder")["kept"]
                found += [wording.kept(trend, int(side)) for trend in _trends(sweep, scores)]
    return found


def _trends(sweep: Sweep, scores: pd.Series) -> list[SizeTrend]:
    return size_trends(with_score(sweep.records, scores, SCORE), metric=SCORE)
