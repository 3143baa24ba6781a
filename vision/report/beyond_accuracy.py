"""The section of a page on what `vision evaluate` measured: answers, figures, and a table of leads.

>>> beyond_accuracy(sweep).title  # doctest: +SKIP
'Beyond accuracy'
"""

from dataclasses import replace

from vision.report.exclusions import skip_on_error
from vision.report.figures.evaluation_curves import draw_evaluations
from vision.report.figures.robustness import FIGURES
from vision.report.measures import Measure, measures
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
        found = measures(sweep, sweep.evaluations)
        for runs in dict.fromkeys(one.missing for one in found if one.missing):
            names = [one.name for one in found if one.missing == runs]
            section.warnings.append(wording.not_evaluated(names, runs))
        section.findings.extend(measure_answers(sweep, found))
        section.figures.extend(draw_evaluations(FIGURES, sweep, sweep.evaluations, section.warnings))
        return replace(section, table=_table(found))
    return section


def measure_answers(sweep: Sweep, found: list[Measure]) -> list[str]:
    """Return a sentence on each measure, about the two models that a page compares first."""
    pair = sweep.pair or next(((sweep.first, other) for other in sweep.others), None)
    compared = [(one.name, one.comparisons.get(pair)) for one in found] if pair else []
    return [wording.measure_answer(name, comparison) for name, comparison in compared if comparison]


def _table(found: list[Measure]) -> Table | None:
    rows: list[list[Cell]] = []
    for measure in found:
        for one in measure.comparisons.values():
            mean, low, high = one.average
            cells = [Cell(points(mean), 100 * mean), interval_cell(low, high), lead_cell(one.detectable)]
            ends = [Cell(ahead_at(one)), Cell(crossing_cell(one))]
            rows.append([Cell(measure.name), Cell(" against ".join(one.models)), *cells, *ends])
    if not rows:
        return None
    return Table("measures", "Leads in other measures", wording.TABLE_CAPTION, HEADS, rows, cards=True)
