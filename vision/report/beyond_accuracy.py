"""The section of a page on what `vision evaluate` measured: answers, figures, and a table of leads.

>>> beyond_accuracy(sweep).title  # doctest: +SKIP
'Beyond accuracy'
"""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from vision.report.exclusions import skip_on_error
from vision.report.figures import NamedFigure
from vision.report.figures.robustness import FIGURES
from vision.report.measures import Measure, measures, read_tables
from vision.report.section import Section
from vision.report.sweep import Sweep
from vision.report.table_cells import Cell, Table, interval_cell, lead_cell
from vision.report.wording import robustness as wording
from vision.report.wording.verdicts import ahead_at, crossing_cell
from vision.text import points

HEADS = ("measure", "pair", "average lead", "95% interval", "detectable", "ahead at", "crossing")


def beyond_accuracy(sweep: Sweep) -> Section:
    """Return the section of a sweep; a part that fails is left out with a sentence."""
    section = Section("beyond", wording.TITLE, wording.CAPTION)
    with skip_on_error("section on robustness and calibration", section.warnings):
        tables = read_tables(sweep)
        found = measures(sweep, tables)
        section.warnings.extend(wording.not_evaluated(one.name, one.missing) for one in found if one.missing)
        section.findings.extend(_findings(sweep, found))
        section.figures.extend(_figures(sweep, tables, section.warnings))
        return replace(section, table=_table(found))
    return section


def _findings(sweep: Sweep, found: list[Measure]) -> list[str]:
    pair = sweep.pair or next(((sweep.first, other) for other in sweep.others), None)
    compared = [(one.name, one.comparisons.get(pair)) for one in found] if pair else []
    return [wording.measure_answer(name, comparison) for name, comparison in compared if comparison]


def _figures(sweep: Sweep, tables: Mapping[str, pd.DataFrame], failures: list[str]) -> list[NamedFigure]:
    figures: list[NamedFigure] = []
    for evaluation, drawings in FIGURES.items():
        for draw in drawings if evaluation in tables else ():
            with skip_on_error(f"figure '{draw.__name__}'", failures):
                figures.append(draw(sweep, tables))
    return figures


def _table(found: list[Measure]) -> Table | None:
    rows: list[list[Cell]] = []
    for measure in found:
        for one in measure.comparisons.values():
            mean, low, high = one.average
            cells = [Cell(points(mean), 100 * mean), interval_cell(low, high), lead_cell(one.detectable)]
            ends = [Cell(ahead_at(one.sizes, one.leaders)), Cell(crossing_cell(one))]
            rows.append([Cell(measure.name), Cell(" against ".join(one.models)), *cells, *ends])
    if not rows:
        return None
    return Table("measures", "Leads in other measures", wording.TABLE_CAPTION, HEADS, rows, cards=True)
