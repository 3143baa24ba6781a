"""Maps of fields by size: what is drawn is what is in the table."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_cases import values_of
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vision.plots import plot_field_map

FIELDS, SIZES = (1, 3, 7), (250, 1000)
MEANS = {"CNN": [[0.2, 0.3], [0.25, 0.4], [0.24, 0.5]], "local": [[0.3, 0.31], [0.29, 0.35], [0.1, 0.2]]}


def curves(half: float = 0.02, fields: tuple[Any, ...] = FIELDS) -> pd.DataFrame:
    rows = [
        {"kind": kind, "field": field, "train_size": size, "mean": means[i][j]}
        for kind, means in MEANS.items()
        for i, field in enumerate(fields)
        for j, size in enumerate(SIZES)
    ]
    table = pd.DataFrame(rows).sample(frac=1, random_state=0)
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def draw(table: pd.DataFrame, **more: Any) -> Figure:
    return plot_field_map(table, title="t", y="field", panel="kind", **more)


def frames(panel: Axes) -> dict[tuple[int, int], Any]:
    """Return row and column of each frame, and its line style."""
    return {
        (
            round(one.get_y() + one.get_height() / 2),
            round(one.get_x() + one.get_width() / 2),
        ): one.get_linestyle()
        for one in panel.patches
        if isinstance(one, Rectangle)
    }


def test_one_map_per_kind_one_row_per_field_one_column_per_size_with_accuracies():
    figure = draw(curves().sort_values("kind"), ylabel="kernel")
    panels = [panel for panel in figure.axes if panel.get_title()]
    assert [panel.get_title() for panel in panels] == ["CNN", "local"]
    for panel, means in zip(panels, MEANS.values(), strict=True):
        np.testing.assert_allclose(values_of(panel.images[0]), 100 * np.array(means))
        written = {tuple(map(round, text.get_position()[::-1])): text.get_text() for text in panel.texts}
        assert written == {(i, j): f"{100 * m:.1f}" for (i, j), m in np.ndenumerate(means)}
        assert [text.get_text() for text in panel.get_xticklabels()] == ["250", "1,000"]
        low, high = panel.get_ylim()
        assert low < high  # larger fields are higher
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["1", "3", "7"]
    assert {panel.images[0].norm.vmin for panel in panels} == {10.0}
    assert {panel.images[0].norm.vmax for panel in panels} == {50.0}
    assert panels[0].get_ylabel() == "kernel"


def test_the_best_field_of_each_size_is_framed_dotted_where_it_may_be_another():
    cnn, local = (panel for panel in draw(curves().sort_values("kind")).axes if panel.get_title())
    assert frames(cnn) == {(1, 0): ":", (2, 1): "-"} and frames(local) == {(0, 0): ":", (1, 1): "-"}
    alone = draw(curves(half=np.nan).sort_values("kind")).axes[0]
    assert set(frames(alone).values()) == {":"}  # one run has no interval


def test_names_of_fields_are_sorted_by_their_numbers_and_missing_cells_stay_empty():
    table = curves(fields=("3 x 3", "11 x 11", "all")).query("kind == 'CNN'").sort_values("field")
    table = table[~((table["field"] == "all") & (table["train_size"] == 250))]
    panel = draw(table).axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["3 x 3", "11 x 11", "all"]
    assert len(panel.texts) == 5 and np.isnan(np.ma.filled(values_of(panel.images[0]), np.nan)[2, 0])


def test_a_missing_field_is_the_full_field():
    table = curves(fields=(1, 3, None)).query("kind == 'CNN'")
    panel = draw(table).axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["1", "3", "all"]
    np.testing.assert_allclose(values_of(panel.images[0])[2], [24, 50])


def test_maps_that_are_ambiguous_are_refused():
    with pytest.raises(ValueError, match="one row for each kind, field and train_size"):
        draw(pd.concat([curves(), curves()]))
    with pytest.raises(ValueError, match="got none named model"):
        plot_field_map(curves(), title="t", panel="kind")
