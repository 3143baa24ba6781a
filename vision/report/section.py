"""A part of a page with its own answers, figures and table.

>>> bool(Section("beyond", "Beyond accuracy"))
False
"""

from dataclasses import dataclass, field

from vision.report.figures.named_figure import NamedFigure
from vision.report.table_cells import Table


@dataclass(frozen=True, eq=False)
class Section:
    """What a part of a page says and shows; it is left out of the page if it has no figures.

    Attributes:
        name: the id on the page.
        title: its heading.
        caption: how to read it.
        findings: its answers.
        warnings: what is missing, and which parts failed.
        figures: in their order.
        table: below the figures.
    """

    name: str
    title: str
    caption: str = ""
    findings: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])
    figures: list[NamedFigure] = field(default_factory=list[NamedFigure])
    table: Table | None = None

    def __bool__(self) -> bool:
        return bool(self.figures)
