"""One page over a sweep: the answer in words, figures, tables, how it was measured; one file, no network.

>>> write_report(Path("outputs/demo"), Path("outputs/demo/report.html"))  # doctest: +SKIP
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vision.plots import save
from vision.provenance import now
from vision.report.figures import Drawn, draw_figures
from vision.report.findings import findings, headline, warnings
from vision.report.methods import measured
from vision.report.svg import inline_svg
from vision.report.sweep import Sweep, read_sweep
from vision.report.table_cells import Table
from vision.report.tables import make_tables


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A figure on a page."""

    name: str
    svg: Markup
    caption: str


@dataclass(frozen=True, slots=True)
class Page:
    """All that the template shows."""

    title: str
    about: str
    answer: str
    warnings: list[str]
    findings: list[str]
    figures: list[PageFigure]
    tables: list[Table]
    measured: list[tuple[str, str]]


def write_report(
    source: Path,
    out: Path,
    *,
    pair: Sequence[str] | None = None,
    choose: Sequence[str] | None = None,
    figures: Path | None = None,
    links: bool = True,
) -> Page:
    """Write the page over a sweep to the file `out`.

    Args:
        source: folder of a sweep, finished or not, or a .csv or .parquet of records.
        out: an .html file; folders above it are made.
        pair: labels of the two models to compare first; see `read_sweep`.
        choose: settings of which validation chooses; see `read_sweep`.
        figures: folder to write each figure to, as .png, .svg and .pdf too; None writes none.
        links: whether each run leads to its folder, from where the page lies.

    Raises:
        FileNotFoundError: as `read_sweep`.
        ValueError: likewise, or `out` is a folder or the table itself.
    """
    if out.is_dir():
        raise ValueError(f"out must be a file, as {out / 'report.html'}, got the folder {out}")
    if out.resolve() == source.resolve():
        raise ValueError(f"out must be another file than the records, as report.html, got {out}")
    sweep = read_sweep(source, pair=pair, choose=choose)
    drawn, left_out = draw_figures(sweep)
    if figures is not None:
        for one in drawn:
            save(one.figure, figures / one.name)
    tables, others = make_tables(sweep, linked_from=out.parent if links else None)
    page = _page(sweep, drawn, tables, [*warnings(sweep), *left_out, *others])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render(page), encoding="utf-8")
    return page


def render(page: Page) -> str:
    """The page as HTML; every text is escaped by the template engine."""
    loader = PackageLoader("vision.report", package_path="")
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    style, script = (Markup(_file(environment, f"page.{kind}")) for kind in ("css", "js"))
    return environment.get_template("page.html").render(page=page, style=style, script=script)


def _file(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _page(sweep: Sweep, drawn: Iterable[Drawn], tables: Iterable[Table], said: list[str]) -> Page:
    versus = " against ".join(sweep.pair) if sweep.pair else f"{len(sweep.labels)} models"
    return Page(
        title=f"{versus} on {sweep.data}",
        about=(
            f"{len(sweep.records)} runs, {sweep.sizes[0]:,} to {sweep.sizes[-1]:,} training images, of "
            f"{sweep.source.name}; written {now()[:16].replace('T', ' ')} UTC"
        ),
        answer=headline(sweep),
        warnings=said,
        findings=findings(sweep),
        figures=[
            PageFigure(d.name, inline_svg(d.figure, name=d.name, alt=d.caption), d.caption) for d in drawn
        ],
        tables=list(tables),
        measured=measured(sweep),
    )
