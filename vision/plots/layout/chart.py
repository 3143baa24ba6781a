"""A figure that knows which artists belong to which line, and the text of each point.

A page can thus show a point's value, and hide a line, without a second drawing of the figure.

>>> chart = Chart()
>>> panel = chart.subplots()
>>> chart.add("CNN", *panel.plot([50, 500], [20.0, 30.0]))
>>> mark_points(panel, "CNN", [50, 500], [20.0, 30.0], ["50 images: 20.0%", "500 images: 30.0%"])
>>> [mark.text for mark in chart.marks]
['50 images: 20.0%', '500 images: 30.0%']
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from math import isnan
from typing import Any, SupportsFloat

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure

SERIES, LABEL = "series", "label"  # beginnings of the ids of artists in an SVG file


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of a line, in the coordinates of its panel, and its text."""

    series: str
    panel: Axes
    x: float
    y: float
    text: str


class Chart(Figure):
    """A figure with named lines; `series` are their names, `marks` their points."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of a `Figure`."""
        super().__init__(*args, **kwargs)
        self.series: list[str] = []
        self.marks: list[Mark] = []
        self._numbers = count()

    def add(self, name: object, *parts: Artist | Container, kind: str = SERIES) -> None:
        """Give artists of a line ids such as "series-0-7", where 0 is the line's place in `series`.

        Args:
            name: Name of the line.
            parts: Its artists; a container stands for all in it.
            kind: SERIES, or LABEL for its name in a legend or at its end.
        """
        if str(name) not in self.series:
            self.series.append(str(name))
        for artist in _artists(parts):
            artist.set_gid(f"{kind}-{self.series.index(str(name))}-{next(self._numbers)}")


def add_to_chart(panel: Axes, name: object, *parts: Artist | Container, kind: str = SERIES) -> None:
    """Add artists to the chart of a panel; a panel of another figure stays as it is."""
    chart = panel.get_figure(root=True)
    if isinstance(chart, Chart):
        chart.add(name, *parts, kind=kind)


def mark_points(
    panel: Axes, name: object, x: Iterable[SupportsFloat], y: Iterable[SupportsFloat], texts: Iterable[str]
) -> None:
    """Add the points of a line to the chart of a panel; those without a value are left out."""
    chart = panel.get_figure(root=True)
    if isinstance(chart, Chart):
        points = zip(x, y, texts, strict=True)
        chart.marks += [
            Mark(str(name), panel, float(a), float(b), text) for a, b, text in points if not isnan(b)
        ]


def _artists(parts: Iterable[Artist | Container | None]) -> Iterable[Artist]:
    """Yield the artists, and those in containers, such as the bars of an error bar."""
    for part in parts:
        if isinstance(part, Artist):
            yield part
        elif part is not None:
            yield from _artists(part)
