"""The table of verdicts: one row per pair of models, with its average lead and where the lead changes.

>>> verdict_table(sweep).heads  # doctest: +SKIP
('pair', 'average lead', '95% interval', 'detectable', 'ahead at', 'crossing')
"""

from vision.report.sweep import Sweep
from vision.report.table_cells import Cell, Table, interval_cell, lead_cell
from vision.report.wording import captions
from vision.report.wording.verdicts import ahead_at, crossing_cell
from vision.statistics import Comparison
from vision.text import points

HEADS = ("pair", "average lead", "95% interval", "detectable", "ahead at", "crossing")


def verdict_table(sweep: Sweep) -> Table:
    """Return the verdicts of the first model against each other, and of all pairs of few models."""
    rows = [_row(one) for one in sweep.comparisons.values()]
    caption = captions.verdict_table(several=len(rows) > 1)
    return Table("verdicts", "Verdicts", caption, HEADS, rows, cards=True)


def _row(one: Comparison) -> list[Cell]:
    mean, low, high = one.average
    return [
        Cell(" against ".join(one.models)),
        Cell(points(mean), 100 * mean),
        interval_cell(low, high),
        lead_cell(one.detectable),
        Cell(ahead_at(one)),
        Cell(crossing_cell(one)),
    ]
