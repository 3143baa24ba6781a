"""An empty figure with a title above and small print below.

>>> figure, body = new_figure("digits", "n = 3; commit 0123456789")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from textwrap import fill

from matplotlib.figure import SubFigure

from vision.plots.layout.chart import Chart
from vision.plots.layout.style import HEIGHT, MUTED, SMALL, STYLE, WIDTH

LETTER = 0.54  # mean width of a letter, as a share of the font size
LINE = 1.25  # height of a line, as a share of the font size
POINTS = 72  # per inch


def new_figure(
    title: str, notes: str = "", *, width: float = WIDTH, height: float = HEIGHT
) -> tuple[Chart, SubFigure]:
    """Return a figure and the part of it to draw into, which is `height` inches high.

    Title and notes are wrapped, and the figure is as much higher as they need.
    """
    above, below = wrapped(title, width, STYLE["figure.titlesize"]), wrapped(notes, width, SMALL)
    around = lines_high(above, STYLE["figure.titlesize"]) + lines_high(below, SMALL)
    figure = Chart(figsize=(width, height + around), layout="constrained")
    body: SubFigure = figure.subfigures()  # type: ignore[assignment]
    figure.suptitle(above)
    if below:
        figure.supxlabel(below, fontsize=SMALL, color=MUTED, ha="left", x=0.01)
    return figure, body


def wrapped(text: str, width: float, size: float) -> str:
    """Return text in lines of at most `width` inches, with letters of `size` points."""
    one_line = " ".join(text.split()).replace(" = ", "\u00a0=\u00a0")  # "n = 3" stays on one line
    lines = fill(one_line, int(POINTS * width / (LETTER * size)), break_long_words=False)
    return lines.replace("\u00a0", " ")


def lines_high(text: str, size: float) -> float:
    """Return the height of the lines of a text in inches."""
    return LINE * size / POINTS * (text.count("\n") + 1) if text else 0.0
