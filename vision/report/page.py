"""One HTML page over a sweep: the answer, figures, tables and methods, in one file that needs no network.

>>> write_report(Path("outputs/demo"), Path("outputs/demo/report.html"))  # doctest: +SKIP
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vision.plots import save
from vision.provenance import now
from vision.report.beyond_accuracy import beyond_accuracy
from vision.report.figures import NamedFigure, draw_figures
from vision.report.findings import findings, headline, warnings
from vision.report.inside_models import inside_models
from vision.report.methods import methods
from vision.report.read_sweep import read_sweep
from vision.report.section import Section
from vision.report.svg import inline_svg
from vision.report.sweep import Sweep
from vision.report.table_cells import Table
from vision.report.tables import make_tables

PAGE_SUFFIXES = (".html", ".htm")
SCRIPTS = ("charts.js", "tables.js")


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A figure on a page; `linear` is the same on linear axes."""

    name: str
    svg: Markup
    caption: str
    linear: Markup | None


@dataclass(frozen=True, slots=True)
class PageSection:
    """A part of a page with its own figures and table; see `Section`."""

    name: str
    title: str
    caption: str
    findings: list[str]
    figures: list[PageFigure]
    table: Table | None


@dataclass(frozen=True, slots=True)
class Page:
    """All that the template shows."""

    title: str
    about: str
    answer: str
    unfinished: bool
    warnings: list[str]
    findings: list[str]
    figures: list[PageFigure]
    tables: list[Table]
    methods: list[tuple[str, str]]
    sections: list[PageSection] = field(default_factory=list[PageSection])


def write_report(
    source: Path,
    out: Path,
    *,
    pair: Sequence[str] | None = None,
    choose: Sequence[str] | None = None,
    figures: Path | None = None,
    links: bool = True,
) -> Page:
    """Write the page over a sweep to a file.

    Args:
        source: Folder of a sweep, finished or not, or a .csv or .parquet file of records.
        out: An .html file; its folders are created.
        pair: Labels of the two models to compare first; see `read_sweep`.
        choose: Settings that validation chooses; see `read_sweep`.
        figures: Folder for each figure as .png, .svg and .pdf. None: no such files.
        links: Whether each run links to its folder, relative to the page.

    Raises:
        FileNotFoundError: As `read_sweep`.
        ValueError: As `read_sweep`; or `out` is a folder, the table itself, or not an .html file.
    """
    if out.is_dir():
        raise ValueError(f"out must be a file such as {out / 'report.html'}, got the folder {out}")
    if out.resolve() == source.resolve():
        raise ValueError(f"out must be another file than the records, such as report.html, got {out}")
    if out.suffix not in PAGE_SUFFIXES:
        raise ValueError(f"out must end in .html, such as report.html, got {out}")
    sweep = read_sweep(source, pair=pair, choose=choose)
    drawn, failures = draw_figures(sweep)
    sections = [inside_models(sweep), beyond_accuracy(sweep)]
    if figures is not None:
        for one in (*drawn, *(one for section in sections for one in section.figures)):
            save(one.figure, figures / one.name)
    page = make_page(sweep, drawn, failures, sections=sections, linked_from=out.parent if links else None)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render(page), encoding="utf-8", errors="backslashreplace")
    return page


def make_page(
    sweep: Sweep,
    drawn: Iterable[NamedFigure] = (),
    failures: Sequence[str] = (),
    *,
    sections: Sequence[Section] = (),
    linked_from: Path | None = None,
) -> Page:
    """Return the contents of a page.

    Args:
        sweep: The runs.
        drawn: The figures.
        failures: A sentence for each figure that could not be drawn.
        sections: The parts on what `vision evaluate` measured.
        linked_from: Folder from which each run is linked. None: no links.
    """
    tables, failed_tables = make_tables(sweep, linked_from=linked_from)
    missing = [warning for one in sections for warning in one.warnings]
    versus = " against ".join(sweep.pair) if sweep.pair else _count(len(sweep.labels))
    return Page(
        title=f"{versus} on {sweep.data}",
        about=(
            f"{len(sweep.records)} runs, {sweep.sizes[0]:,} to {sweep.sizes[-1]:,} training images, from "
            f"{sweep.source.name}; written {now()[:16].replace('T', ' ')} UTC"
        ),
        answer=headline(sweep),
        unfinished=sweep.is_unfinished,
        warnings=[*warnings(sweep), *failures, *failed_tables, *missing],
        findings=findings(sweep),
        figures=[_page_figure(one) for one in drawn],
        tables=tables,
        methods=methods(sweep),
        sections=[_section(one) for one in sections if one],
    )


def render(page: Page) -> str:
    """Return the page as HTML; the template engine escapes every text."""
    loader = PackageLoader("vision.report", package_path="")
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    style = Markup(_file(loader, environment, "page.css"))
    script = Markup("\n".join(_file(loader, environment, name) for name in SCRIPTS))
    return environment.get_template("page.html").render(page=page, style=style, script=script)


def _file(loader: BaseLoader, environment: Environment, name: str) -> str:
    return loader.get_source(environment, name)[0]


def _section(section: Section) -> PageSection:
    figures = [_page_figure(one) for one in section.figures]
    return PageSection(section.name, section.title, section.caption, section.findings, figures, section.table)


def _page_figure(one: NamedFigure) -> PageFigure:
    svg = inline_svg(one.figure, name=one.name, alt=one.caption)
    linear = inline_svg(one.linear, name=f"{one.name}-linear", alt=one.caption) if one.linear else None
    return PageFigure(one.name, svg, one.caption, linear)


def _count(models: int) -> str:
    return "1 model" if models == 1 else f"{models} models"
