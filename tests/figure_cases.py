"""Tables for the tests of figures, and typed access to what a figure contains."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import Collection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from matplotlib.transforms import BboxBase
from numpy.typing import NDArray

SIZES = (100, 1000, 10_000)
MEANS = {"CNN": (0.3, 0.5, 0.7), "ViT": (0.2, 0.5, 0.8)}

NAMES = ("CNN", "ViT", "local attention", "no mixing")
MANY_SIZES = (100, 250, 500, 1000, 2500, 5000)
NOTES = (
    "72 of 72 runs, n = 3 per point, band: 95% t-interval over seeds; 1,000 steps; bfloat16 on Intel(R) "
    "Xeon(R) Processor, 2 cores;\ntorch 2.15.0; commit f11c9c3f16; finished 2026-11-22"
)


def curves(
    means: Mapping[str, Sequence[float]] = MEANS, half: float = 0.05, data: str = "digits"
) -> pd.DataFrame:
    """Return curves at SIZES with these means, and intervals of this half-width."""
    rows = [
        {"data": data, "label": label, "train_size": size, "n": 3, "mean": mean}
        for label, values in means.items()
        for size, mean in zip(SIZES, values, strict=True)
    ]
    table = pd.DataFrame(rows)
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def one_run(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a single run, which has no intervals."""
    return table.assign(n=1, low=np.nan, high=np.nan)


def rising_curves(sizes: Sequence[int] = MANY_SIZES) -> pd.DataFrame:
    """Return the curves of NAMES, each above the one before."""
    rows = [
        {"data": "cifar10-jpeg", "label": name, "train_size": size, "n": 3, "mean": 0.2 + 0.05 * i + 0.03 * k}
        for k, name in enumerate(NAMES)
        for i, size in enumerate(sizes)
    ]
    table = pd.DataFrame(rows)
    return table.assign(low=table["mean"] - 0.02, high=table["mean"] + 0.02)


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG file."""
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def legend_texts(figure: Figure) -> list[str]:
    """Return the texts of all legends."""
    return [text.get_text() for body in figure.subfigs for one in body.legends for text in one.get_texts()]


def end_labels(panel: Axes) -> list[Annotation]:
    """Return the names at the ends of a panel's lines."""
    return [text for text in panel.texts if isinstance(text, Annotation)]


def text_boxes(texts: Sequence[Text]) -> list[BboxBase]:
    """Return the boxes of texts in pixels, without the lines that lead to them."""
    return [Text.get_window_extent(text) for text in texts]


def bands(panel: Axes) -> list[PolyCollection]:
    """Return the filled intervals of a panel."""
    return [band for band in panel.collections if isinstance(band, PolyCollection)]


def labelled(panel: Axes) -> dict[str, Line2D]:
    """Return the lines of a panel that have a label, by label."""
    lines = {str(line.get_label()): line for line in panel.get_lines()}
    return {label: line for label, line in lines.items() if not label.startswith("_")}


def x_of(line: Line2D) -> NDArray[Any]:
    """Return the x of a line's points, as given."""
    return np.asarray(line.get_xdata())


def y_of(line: Line2D) -> NDArray[Any]:
    """Return the y of a line's points, as given."""
    return np.asarray(line.get_ydata())


def points_of(markers: Collection) -> list[list[float]]:
    """Return x and y of each marker of a scatter plot."""
    return np.asarray(markers.get_offsets()).tolist()


def values_of(image: AxesImage) -> np.ma.MaskedArray[Any, Any]:
    """Return the values of a drawn image; missing ones are masked."""
    values = image.get_array()
    assert values is not None
    return np.ma.asarray(values)


def position_of(panel: Axes) -> SubplotSpec:
    """Return the position of a panel in its grid."""
    position = panel.get_subplotspec()
    assert position is not None
    return position
