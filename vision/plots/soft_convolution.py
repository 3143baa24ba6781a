"""Error of a soft convolution against its sharpness alpha: inside and at the border, with a ring and without.

>>> plot_soft_error(table, title="3x3 on digits").savefig("soft.svg")  # doctest: +SKIP
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vision.plots.curves import COLOURS, MARKERS

PLACES = {
    "inside": "inside: the kernel lies on the image",
    "border": "border: the kernel reaches the padding",
}
RINGS = {True: "with a ring of zero tokens", False: "without a ring"}
_ELSEWHERE = "tends to replicate padding instead"


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
    figure = Figure(figsize=(4.6 * len(places) + 0.6, 4.8), layout="constrained")
    panels = figure.subplots(1, len(places), squeeze=False, sharey=True)[0]
    for panel, place in zip(panels, places, strict=True):
        _panel(panel, groups[place].sort_values("alpha"))
        panel.set_title(PLACES[place], fontsize=10)
    panels[0].set_ylabel("largest distance from the zero-padded convolution")
    panels[0].legend(frameon=False, loc="lower left", fontsize=9)
    figure.suptitle(title, fontsize=12)
    if notes:
        figure.supxlabel(notes, fontsize=7, color="0.35", ha="left", x=0.01)
    return figure


def _panel(panel: Axes, table: pd.DataFrame) -> None:
    bound = table.drop_duplicates("alpha")
    panel.plot(bound["alpha"], bound["bound"], color=COLOURS[-1], linestyle="--", label="bound")
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
            panel.annotate(
                _ELSEWHERE, (last["alpha"], last["measured"]), **above, fontsize=9, color=COLOURS[1]
            )
    panel.set(yscale="log", xlabel="sharpness alpha of the position scores")
    panel.grid(axis="y", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)
