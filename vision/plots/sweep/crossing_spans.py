"""Where the lead changes, in a figure of differences: a shaded interval with a line at the estimate.

>>> crossing_handle((1200, 1900, 2700)).get_label()
'crossing: 1,900 (1,200 to 2,700)'
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from math import isfinite

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from vision.plots.layout.style import BAND, MUTED

Interval = tuple[float, float, float]  # low end, estimate, high end


def draw_crossing(panel: Axes, crossing: Interval) -> None:
    """Shade the interval of a crossing as far as the panel goes, and draw its estimate."""
    low, size, high = crossing
    left, right = panel.get_xlim()
    panel.axvspan(max(low, left), min(high, right), color=MUTED, alpha=BAND, linewidth=0, zorder=0)
    if left <= size <= right:
        panel.axvline(size, color=MUTED, linestyle="--", linewidth=1.0)
    panel.set_xlim(left, right)


def crossing_handle(crossing: Interval) -> Patch:
    """Return the legend handle of a crossing, with its numbers."""
    low, size, high = crossing
    span = f"{low:,.0f} to {high:,.0f}" if isfinite(high) else f"{low:,.0f} or more"
    return Patch(color=MUTED, alpha=2 * BAND, label=f"crossing: {size:,.0f} ({span})")
