"""Single runs as dots: faint ones behind the means, or plain ones where no mean describes them.

>>> from matplotlib.figure import Figure
>>> draw_runs(Figure().subplots(), [50, 50, 50], [20.1, 20.4, 20.2], {"color": "#0072b2", "marker": "o"})
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy
from numpy.typing import ArrayLike

from vision.plots.layout.chart import add_to_chart
from vision.plots.layout.line_styles import LineStyle

FAINT, CLEAR = 0.35, 0.75  # opacity
SMALL, LARGE = 2.4, 5.0  # points
MOST_LINES = 12  # lines beyond which the dots would hide each other
NOTE, ROWS_NOTE = "dots: single runs", "ticks: single runs"


def draw_runs(
    panel: Axes,
    x: ArrayLike,
    y: ArrayLike,
    look: LineStyle,
    *,
    name: object = "",
    aside: float | None = None,
) -> None:
    """Draw one dot per run.

    Args:
        panel: Where to draw.
        x, y: Coordinates of the runs.
        look: The style of their line.
        name: Name of their line.
        aside: By how many points the dots are shifted to the right; they are then large and clear. None draws
            them in place, small and faint.
    """
    clear = aside is not None
    shift = offset_copy(panel.transData, panel.get_figure(root=True), x=aside or 0.0, units="points")
    dots = panel.plot(
        x,
        y,
        color=look["color"],
        marker=look["marker"] if clear else "o",
        linestyle="none",
        markersize=LARGE if clear else SMALL,
        alpha=CLEAR if clear else FAINT,
        markeredgewidth=0,
        label="_runs",
        zorder=2.5 if clear else 1.8,
        transform=shift,
    )
    add_to_chart(panel, name, *dots)


def tick_runs(panel: Axes, x: ArrayLike, y: ArrayLike, look: LineStyle, *, name: object) -> None:
    """Draw one upright tick per run across a horizontal error bar."""
    ticks = panel.plot(x, y, "|", color=look["color"], markersize=5, alpha=CLEAR, label="_runs", zorder=1.8)
    add_to_chart(panel, name, *ticks)
