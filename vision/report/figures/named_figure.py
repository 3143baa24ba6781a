"""A figure of a page."""

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class NamedFigure:
    """A figure with its name on the page, its caption, and the same on linear axes, if there is a choice."""

    name: str
    figure: Figure
    caption: str
    linear: Figure | None = None
