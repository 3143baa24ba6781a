"""`vision report`: one HTML page about a sweep, and its findings on the terminal.

vision report outputs/demo --pair CNN,ViT
vision report outputs/demo --watch
"""

import argparse
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from vision.cli.console import console, print_line
from vision.cli.output_paths import check_folder
from vision.cli.sweep_arguments import add_choose, add_source, names, output_folder
from vision.dynamic import Arguments

PORT = 8765


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
    watch = "serve the page on this machine, and redraw it as runs finish, until Ctrl+C"
    parser.add_argument("--watch", action="store_true", help=watch)
    port = f"port of --watch; 0 is any free one (default: {PORT})"
    parser.add_argument("--port", type=int, metavar="N", help=port)


def report(
    source: Path,
    *,
    out: Path | None,
    pair: str | None,
    choose: str | None,
    figures: Path | None,
    links: bool,
    watch: bool = False,
    port: int | None = None,
) -> int:
    """Write the page of a sweep and print its findings; see `vision.report.write_report`.

    With watch, serve the page on localhost instead, and write it again as runs finish.

    Raises:
        ValueError: port without watch, watch of a file, or a port that cannot be used.
    """
    from vision.report import write_report

    if port is not None and not watch:
        raise ValueError(f"--port is for --watch only, got --port {port} without it")
    out = out or output_folder(source) / "report.html"
    if figures is not None:
        check_folder("--figures", figures)
    options: Arguments = {"pair": names(pair), "choose": names(choose), "figures": figures}
    # The server has the page only, not the folders of the runs.
    write = partial(write_report, source, out, **options, links=links and not watch)
    if watch:
        return _watch(source, out, write, PORT if port is None else port)
    with console().status("drawing"):
        page = write()
    for line in (page.answer, *page.warnings, *page.findings, f"wrote {out}"):
        print_line(line)
    return 0


def _watch(source: Path, out: Path, write: Callable[[], object], port: int) -> int:
    from vision.report.watch import WatchedPage, serve

    if not source.is_dir():
        raise ValueError(f"--watch needs the folder of a sweep, got {source}")
    with serve(WatchedPage(source, out, write), port=port) as server:
        print_line(f"{server.url} shows {source} as its runs finish; Ctrl+C stops it")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0
