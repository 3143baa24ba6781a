"""The style of every figure, from one style file, and how a figure is saved.

>>> save(plot_accuracy(curves, title="digits"), Path("outputs/accuracy"))  # doctest: +SKIP
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import matplotlib
from matplotlib.figure import Figure
from matplotlib.typing import FillStyleType, LineStyleType

from vision.plots.layout.fonts import give_fonts, without_glyph_warnings

Arguments = ParamSpec("Arguments")

STYLE = matplotlib.rc_params_from_file(
    Path(__file__).with_name("vision.mplstyle"), use_default_template=False
)
COLOURS: tuple[str, ...] = tuple(STYLE["axes.prop_cycle"].by_key()["color"])
# Lines differ in more than colour: each has a marker, and another style and fill after the last marker.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLES: tuple[LineStyleType, ...] = ("-", "--", ":", "-.")
FILLS: tuple[FillStyleType, ...] = ("full", "none", "left", "top")  # of markers
INK, GRID, PAPER = STYLE["text.color"], STYLE["grid.color"], STYLE["figure.facecolor"]
MUTED = "#666666"  # small print, and lines that are not results
WIDTH, HEIGHT = STYLE["figure.figsize"]  # inches
SMALL = 8  # points, of small print
BAND = 0.15  # opacity of an interval
# Without these two files of the same figure would differ.
METADATA = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Let `draw` use this style; its figure keeps it, whatever matplotlib's settings are when it is saved.

    The figure keeps its layout too: laying it out again for each file would take half of the time.
    """

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with matplotlib.rc_context(STYLE), without_glyph_warnings():
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()  # ticks take their look, and their texts, when first drawn
            figure.set_layout_engine("none")
            give_fonts(figure)
        return figure

    return drawn


def lay_out(figure: Figure) -> None:
    """Give the panels of a figure their places, and the ticks their texts, without drawing anything."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as stem.png, stem.svg and stem.pdf; the same figure gives the same bytes.

    Returns:
        The three files, in this order.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    files = [stem.with_name(f"{stem.name}.{kind}") for kind in METADATA]
    with matplotlib.rc_context(STYLE), without_glyph_warnings():
        for file, metadata in zip(files, METADATA.values(), strict=True):
            figure.savefig(file, metadata=metadata)
    return files
