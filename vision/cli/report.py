"""`vision report`: one HTML page about a sweep, and its findings on the terminal.

vision report outputs/demo --pair CNN,ViT
"""

import argparse
from pathlib import Path

from vision.cli.console import console, print_line
from vision.cli.output_paths import check_folder
from vision.cli.sweep_arguments import add_choose, add_source, names, output_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision report`."""
    parser.epilog = "example: vision report outputs/demo --pair CNN,ViT"
    add_source(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page (default: report.html in DIR)")
    pair = "labels of the models to compare first (default: CNN,ViT, or the only two)"
    parser.add_argument("--pair", metavar="A,B", help=pair)
    add_choose(parser)
    figures = "also write each figure there as .png, .svg and .pdf"
    parser.add_argument("--figures", type=Path, metavar="DIR", help=figures)
    links = "leave out links to the runs' folders, for a page that you send to others"
    parser.add_argument("--no-links", dest="links", action="store_false", help=links)


def report(
    source: Path, *, out: Path | None, pair: str | None, choose: str | None, figures: Path | None, links: bool
) -> int:
    """Write the page of a sweep and print its findings; see `vision.report.write_report`."""
    from vision.report import write_report

    out = out or output_folder(source) / "report.html"
    if figures is not None:
        check_folder("--figures", figures)
    with console().status("drawing"):
        page = write_report(source, out, pair=names(pair), choose=names(choose), figures=figures, links=links)
    for line in (page.answer, *page.warnings, *page.findings, f"wrote {out}"):
        print_line(line)
    return 0
