"""Names next to points, placed so that they touch neither each other nor a point.

Every name fits or none is written, and the positions are the same each time. adjustText 1.4 does not report
that names have no room: for 60 names in 10 panels it left 42 overlaps with names or intervals.

>>> from matplotlib.figure import Figure
>>> panel = Figure().subplots()
>>> limits = panel.set(xlim=(0, 100_000), ylim=(30, 50))
>>> place_labels(panel, [(60_000, 38.5, 36.0, 41.0)], ["CNN"])
True
"""

# matplotlib leaves the type of **kwargs open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from vision.plots.layout.chart import LABEL, add_to_chart

GAP = 6  # points between a point and its name
# The positions to try, in this order: offset in points, and the alignment of the name.
POSITIONS = (
    ((GAP, 0), "left", "center"),
    ((-GAP, 0), "right", "center"),
    ((GAP, GAP), "left", "bottom"),
    ((GAP, -GAP), "left", "top"),
    ((-GAP, GAP), "right", "bottom"),
    ((-GAP, -GAP), "right", "top"),
)
Point = tuple[float, float, float, float]  # x, y, and the interval's low and high


def place_labels(panel: Axes, points: Sequence[Point], names: Sequence[str]) -> bool:
    """Write each name next to its point, or none and return False if one has no room.

    The panel must have its final limits and size, as after `lay_out(figure)`.
    """
    taken = [_around(panel, point) for point in points]
    written: list[Annotation] = []
    for point, name in zip(points, names, strict=True):
        for offset, horizontal, vertical in POSITIONS:
            text = panel.annotate(
                name, point[:2], offset, textcoords="offset points", ha=horizontal, va=vertical
            )
            box = text.get_window_extent()
            if _inside(box, panel.bbox) and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                written.append(text)
                add_to_chart(panel, name, text, kind=LABEL)
                break
            text.remove()
        else:
            for text in written:
                text.remove()
            return False
    return True


def _around(panel: Axes, point: Point) -> Bbox:
    """Return the box of pixels of a point's marker and interval."""
    x, y, low, high = point
    ends = panel.transData.transform(
        [(x, low if low == low else y), (x, high if high == high else y), (x, y)]
    )
    return Bbox([ends.min(axis=0) - 4, ends.max(axis=0) + 4])


def _inside(box: Bbox, panel: Bbox) -> bool:
    return panel.x0 <= box.x0 and box.x1 <= panel.x1 and panel.y0 <= box.y0 and box.y1 <= panel.y1
