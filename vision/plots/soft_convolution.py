"""Error of a soft convolution against its sharpness alpha: inside and at the border, with a ring and without.

>>> plot_soft_error(table, title="3x3 on digits").savefig("soft.svg")  # doctest: +SKIP
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vision.plots.layout.figure import sheet
from vision.plots.layout.legend import legend_above
from vision.plots.layout.small_multiples import name_axes, small_multiples
from vision.plots.layout.style import COLOURS, MARKERS, MUTED, styled
from vision.plots.layout.ticks import powers_of_ten

PLACES = {
    "inside": "inside: the kernel lies on the image",
    "border": "border: the kernel reaches the padding",
}
RINGS = {True: "with a ring of zero tokens", False: "without a ring"}
_ELSEWHERE = "tends to replicate padding instead"


@styled
def plot_soft_error(table: pd.DataFrame, *, title: str, notes: str = "") -> Figure:
    """Figure of measured error and bound by alpha, on a log scale; one panel a place.

    Args:
        table: columns alpha, place ("inside" or "border"), ring, measured, bound.
        title: stands above the figure.
        notes: stands below it in small print: what was measured, n, precision, versions.

    Raises:
        ValueError: the table has no row of a known place.
    """
    groups = {str(place): rows for place, rows in table.groupby("place")}
    places = [place for place in PLACES if place in groups]
    if not places:
        raise ValueError(f"place must be one of {', '.join(PLACES)}, got {sorted(groups)}")
    figure, body = sheet(title, notes, height=2.4 * len(places) + 0.8)
    panels = small_multiples(body, len(places), columns=1)
    for panel, place in zip(panels, places, strict=True):
        _panel(panel, groups[place].sort_values("alpha"))
        panel.set_title(PLACES[place])
    for panel in panels:
        powers_of_ten(panel)
    distance = "largest distance from the zero-padded convolution"
    name_axes(body, panels, "sharpness alpha of the position scores", distance)
    legend_above(body, panels[0].get_lines())
    return figure


def _panel(panel: Axes, table: pd.DataFrame) -> None:
    bound = table.drop_duplicates("alpha")
    panel.plot(bound["alpha"], bound["bound"], color=MUTED, linestyle="--", label="bound")
    for ring, rows in table.groupby("ring", sort=False):
        order = list(RINGS).index(bool(ring))
        # One line may lie on the other: open markers leave both visible.
        panel.plot(
            rows["alpha"],
            rows["measured"],
            color=COLOURS[order],
            marker=MARKERS[order],
            markersize=5 + 3 * order,
            markerfacecolor="none" if order else COLOURS[order],
            linestyle=":" if order else "-",
            label=f"measured, {RINGS[bool(ring)]}",
        )
        if (last := rows.iloc[-1])["measured"] > last["bound"]:
            above = {"xytext": (4, 9), "textcoords": "offset points", "ha": "right"}
            panel.annotate(_ELSEWHERE, (last["alpha"], last["measured"]), **above, color=COLOURS[1])
    panel.set_yscale("log")
