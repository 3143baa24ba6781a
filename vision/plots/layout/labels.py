"""Names written beside points, where they touch neither each other nor a point.

>>> place_labels(panel, [(60_000, 38.5, 36.0, 41.0)], ["CNN"])  # doctest: +SKIP
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

AWAY = 6  # points between a point and its name
# Where a name is tried, in this order: offset in points, and which of its sides is there.
PLACES = (
    ((AWAY, 0), "left", "center"),
    ((-AWAY, 0), "right", "center"),
    ((AWAY, AWAY), "left", "bottom"),
    ((AWAY, -AWAY), "left", "top"),
    ((-AWAY, AWAY), "right", "bottom"),
    ((-AWAY, -AWAY), "right", "top"),
)
Point = tuple[float, float, float, float]  # x, y, and the interval's low and high


def place_labels(panel: Axes, points: Sequence[Point], names: Sequence[str]) -> bool:
    """Write each name beside its point; or none of them, and False, if one has no room.

    The panel must have its final limits and place, as after `figure.draw_without_rendering()`.
    """
    taken = [_around(panel, point) for point in points]
    written = []
    for point, name in zip(points, names, strict=True):
        for offset, side, height in PLACES:
            where: Any = {"textcoords": "offset points", "ha": side, "va": height}
            text = panel.annotate(name, point[:2], offset, **where)
            box = text.get_window_extent()
            if _inside(box, panel.bbox) and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                written.append(text)
                break
            text.remove()
        else:
            for text in written:
                text.remove()
            return False
    return True


def _around(panel: Axes, point: Point) -> Bbox:
    """The pixels of a point's marker and interval."""
    x, y, low, high = point
    ends = panel.transData.transform(
        [(x, low if low == low else y), (x, high if high == high else y), (x, y)]
    )
    return Bbox([ends.min(axis=0) - 4, ends.max(axis=0) + 4])


def _inside(box: Bbox, panel: Bbox) -> bool:
    return panel.x0 <= box.x0 and box.x1 <= panel.x1 and panel.y0 <= box.y0 and box.y1 <= panel.y1
