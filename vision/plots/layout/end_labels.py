"""Names at the ends of lines, in the order of their last values, so that no legend is needed.

>>> from vision.plots.layout.figure import new_figure
>>> figure, body = new_figure("digits")
>>> panel = body.subplots()
>>> lines = panel.plot([50, 500], [20, 30]) + panel.plot([50, 500], [22, 30])
>>> place_end_labels({panel: [End("CNN", 500, 30, "#0072b2"), End("ViT", 500, 30, "#d55e00")]})
True
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import ScaledTranslation, blended_transform_factory
from numpy.typing import NDArray

from vision.plots.layout.chart import LABEL, Chart, add_to_chart
from vision.plots.layout.figure import LINE, POINTS, text_width
from vision.plots.layout.style import STYLE, lay_out

ROOM = 16  # points between a panel and its names, for the lines that lead there
WIDEST = 0.42  # of the width of a figure, for the names
OVER = 0.06  # how far names may stand above or below a panel, as a share of its height


@dataclass(frozen=True, slots=True)
class End:
    """Where a line ends."""

    name: object
    x: float
    y: float
    colour: str
    text: str = ""  # what is written; empty: the name


def label_width(names: Sequence[str]) -> float:
    """Return the width in inches that names next to a panel take."""
    return ROOM / POINTS + max(map(text_width, names), default=0.0)


def place_end_labels(ends: Mapping[Axes, Sequence[End]]) -> bool:
    """Write the names next to each panel, or none and return False where a panel is too low for them.

    The panels need their final limits; the figure is laid out on the way.
    """
    labels = {panel: [_label(panel, end) for end in own] for panel, own in ends.items()}
    for panel in list(ends)[:1]:
        if isinstance(chart := panel.get_figure(root=True), Chart):
            lay_out(chart)
    heights = {panel: _heights(panel, own) for panel, own in ends.items()}
    if any(height is None for height in heights.values()):
        for one in (label for own in labels.values() for label in own):
            one.remove()
        return False
    for panel, own in labels.items():
        for label, height in zip(own, heights[panel] or (), strict=True):
            label.xyann = (label.xyann[0], height)
    return True


def by_last_value(ends: Mapping[Axes, Sequence[End]], names: Sequence[str]) -> list[str]:
    """Return names in the order of the highest of the last values of each; those without one come last."""
    heights = [(end.y, end.name) for own in ends.values() for end in own]
    ranked = [str(name) for _, name in sorted(heights, key=lambda pair: pair[0], reverse=True)]
    return [name for name in dict.fromkeys([*ranked, *names]) if name in names]


def _label(panel: Axes, end: End) -> Annotation:
    figure = panel.get_figure(root=True)
    beside = panel.transAxes + ScaledTranslation(ROOM / POINTS, 0, figure.dpi_scale_trans)  # type: ignore[union-attr]
    lead = {"arrowstyle": "-", "color": end.colour, "linewidth": 0.9, "alpha": 0.7}
    label = panel.annotate(
        end.text or str(end.name),
        (end.x, end.y),
        (1.0, _height(panel, end.y)),
        textcoords=blended_transform_factory(beside, panel.transAxes),
        va="center",
        annotation_clip=False,
        arrowprops={**lead, "shrinkA": 1, "shrinkB": 4, "relpos": (0, 0.5)},
    )
    add_to_chart(panel, end.name, label, kind=LABEL)
    if label.arrow_patch is not None:
        add_to_chart(panel, end.name, label.arrow_patch)
    return label


def _height(panel: Axes, y: float) -> float:
    """Return the height of a value in a panel, from 0 at its bottom to 1 at its top."""
    spot = panel.transData.transform((panel.get_xlim()[1], y))
    return float(panel.transAxes.inverted().transform(spot)[1])


def _heights(panel: Axes, ends: Sequence[End]) -> list[float] | None:
    """Return the height of each name, from 0 to 1; None where they have no room."""
    gap = LINE * STYLE["font.size"] / POINTS * panel.figure.dpi / panel.bbox.height
    wanted = np.array([_height(panel, end.y) for end in ends])
    low, high = -OVER, 1 + OVER - gap * (len(ends) - 1)
    return None if low > high else spread(wanted, gap, low, high).tolist()


def spread(wanted: NDArray[np.float64], gap: float, low: float, high: float) -> NDArray[np.float64]:
    """Return the heights nearest to those wanted that are `gap` apart; the lowest lies within [low, high].

    >>> spread(np.array([0.5, 0.5, 0.9]), 0.1, 0.0, 1.0).round(2).tolist()
    [0.45, 0.55, 0.9]
    """
    order, steps = np.argsort(wanted, kind="stable"), gap * np.arange(len(wanted))
    apart = np.clip(_nearest_ascending(wanted[order] - steps), low, high) + steps
    heights = np.empty_like(apart)
    heights[order] = apart
    return heights


def _nearest_ascending(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nearest numbers that never fall: neighbours that do become their mean.

    This is isotonic regression, here because importing scipy.optimize takes longer than drawing a figure.
    """
    means, sizes = list[float](), list[int]()
    for value in values.tolist():
        means.append(value)
        sizes.append(1)
        while len(means) > 1 and means[-2] >= means[-1]:
            last, size = means.pop(), sizes.pop()
            means[-1] = (means[-1] * sizes[-1] + last * size) / (sizes[-1] + size)
            sizes[-1] += size
    return np.repeat(means, sizes)
