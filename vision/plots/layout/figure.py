"""An empty figure with a title above and small print below.

>>> figure, body = new_figure("digits", "n = 3; commit 0123456789")
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from textwrap import fill
from unicodedata import east_asian_width

from matplotlib.figure import SubFigure

from vision.plots.layout.chart import Chart
from vision.plots.layout.fonts import measured_width
from vision.plots.layout.style import HEIGHT, MUTED, SMALL, STYLE, WIDTH

LETTER = 0.54  # mean width of a letter, as a share of the font size
WIDE = 1.85  # width of a Chinese, Japanese or Korean letter, as a share of that
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
    """Return text in lines of at most `width` inches, with letters of `size` points.

    A word that is longer than a line is broken.
    """
    one_line = " ".join(text.split()).replace(" = ", "\u00a0=\u00a0")  # "n = 3" stays on one line
    room = max(1, int(len(one_line) / max(width_in_letters(one_line), 1) * POINTS * width / (LETTER * size)))
    lines = fill(one_line, room, break_on_hyphens=False)
    while room > 1 and any(measured_width(line, size) > width for line in lines.splitlines()):
        room = int(0.95 * room)
        lines = fill(one_line, room, break_on_hyphens=False)
    return lines.replace("\u00a0", " ")


def shortened(text: str, width: float, size: float) -> str:
    """Return text in one line of at most `width` inches, where needed without its middle."""
    kept = len(text)
    short = text
    while kept > 2 and (text_width(short, size) > width or measured_width(short, size) > width):
        kept -= 1
        short = f"{text[: -(-kept // 2)]}…{text[len(text) - kept // 2 :]}"
    return short


def width_in_letters(text: str) -> float:
    """Return the width of the longest line of a text, in letters of mean width.

    >>> width_in_letters("ab\\nabc"), width_in_letters("块")
    (3.0, 1.85)
    """
    return max(
        (sum(WIDE if east_asian_width(one) in "WF" else 1.0 for one in line) for line in text.splitlines()),
        default=0.0,
    )


def text_width(text: str, size: float = STYLE["font.size"]) -> float:
    """Return about how many inches a text is wide, with letters of `size` points."""
    return width_in_letters(text) * LETTER * size / POINTS


def lines_high(text: str, size: float) -> float:
    """Return the height of the lines of a text in inches."""
    return LINE * size / POINTS * (text.count("\n") + 1) if text else 0.0
