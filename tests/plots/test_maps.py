"""Maps of cells: fields by size, and which class is taken for which."""

import numpy as np
import pandas as pd
import pytest

from vision.plots import plot_confusion, plot_field_map
from vision.plots.layout.heatmap_cells import DARK, LIGHT

FIELDS, SIZES = (1, 3, 7), (250, 1000)
MEANS = {"CNN": [[0.2, 0.3], [0.25, 0.4], [0.24, 0.5]], "local": [[0.3, 0.31], [0.29, 0.35], [0.1, 0.2]]}


def curves(half=0.02, fields=FIELDS):
    rows = [
        {"kind": kind, "field": field, "train_size": size, "mean": means[i][j]}
        for kind, means in MEANS.items()
        for i, field in enumerate(fields)
        for j, size in enumerate(SIZES)
    ]
    table = pd.DataFrame(rows).sample(frac=1, random_state=0)
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def draw(table, **more):
    return plot_field_map(table, title="t", y="field", panel="kind", **more)


def frames(panel):
    """Row and column of each frame, and whether it is solid."""
    return {
        (
            round(one.get_y() + one.get_height() / 2),
            round(one.get_x() + one.get_width() / 2),
        ): one.get_linestyle()
        for one in panel.patches
    }


def test_a_map_a_kind_a_row_a_field_a_column_a_size_and_its_accuracy_written():
    figure = draw(curves().sort_values("kind"), ylabel="kernel")
    panels = [panel for panel in figure.axes if panel.get_title()]
    assert [panel.get_title() for panel in panels] == ["CNN", "local"]
    for panel, means in zip(panels, MEANS.values(), strict=True):
        np.testing.assert_allclose(panel.images[0].get_array(), 100 * np.array(means))
        written = {tuple(map(round, text.get_position()[::-1])): text.get_text() for text in panel.texts}
        assert written == {(i, j): f"{100 * m:.1f}" for (i, j), m in np.ndenumerate(means)}
        assert [text.get_text() for text in panel.get_xticklabels()] == ["250", "1,000"]
        low, high = panel.get_ylim()
        assert low < high  # larger fields stand higher
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["1", "3", "7"]
    assert {panel.images[0].norm.vmin for panel in panels} == {10.0}
    assert {panel.images[0].norm.vmax for panel in panels} == {50.0}
    assert panels[0].get_ylabel() == "kernel"


def test_the_best_field_of_each_size_is_framed_dotted_where_it_may_be_another():
    cnn, local = (panel for panel in draw(curves().sort_values("kind")).axes if panel.get_title())
    assert frames(cnn) == {(1, 0): ":", (2, 1): "-"} and frames(local) == {(0, 0): ":", (1, 1): "-"}
    alone = draw(curves(half=np.nan).sort_values("kind")).axes[0]
    assert set(frames(alone).values()) == {":"}  # one run says nothing of chance


def test_names_of_fields_stand_by_their_numbers_and_missing_cells_stay_empty():
    table = curves(fields=("3 x 3", "11 x 11", "all")).query("kind == 'CNN'").sort_values("field")
    table = table[~((table["field"] == "all") & (table["train_size"] == 250))]
    panel = draw(table).axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["3 x 3", "11 x 11", "all"]
    assert len(panel.texts) == 5 and np.isnan(np.ma.filled(panel.images[0].get_array(), np.nan)[2, 0])


def test_a_missing_field_is_that_of_all():
    table = curves(fields=(1, 3, None)).query("kind == 'CNN'")
    panel = draw(table).axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["1", "3", "all"]
    np.testing.assert_allclose(panel.images[0].get_array()[2], [24, 50])


def test_maps_that_are_ambiguous_are_refused():
    with pytest.raises(ValueError, match="one row for each kind, field and train_size"):
        draw(pd.concat([curves(), curves()]))
    with pytest.raises(ValueError, match="got none named model"):
        plot_field_map(curves(), title="t", panel="kind")


# --- confusion


def test_confusion_is_by_rows_in_percents_and_written():
    figure = plot_confusion(np.array([[8, 2, 0], [1, 3, 0], [0, 0, 0]]), ["cat", "dog", "ship"], title="t")
    panel = figure.axes[0]
    shown = np.ma.filled(panel.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shown, [[80, 20, 0], [25, 75, 0], [np.nan] * 3])
    assert [text.get_text() for text in panel.texts] == ["80", "20", "0", "25", "75", "0"]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["cat", "dog", "ship"]
    low, high = panel.get_ylim()
    assert low > high  # the first class is on top
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("taken for", "true class")
    assert {text.get_text(): text.get_color() for text in panel.texts}["80"] == LIGHT
    assert {text.get_text(): text.get_color() for text in panel.texts}["20"] == DARK


@pytest.mark.filterwarnings("error")
def test_many_classes_have_no_numbers_and_every_few_a_name():
    panel = plot_confusion(np.eye(100), [f"class {i}" for i in range(100)], title="t").axes[0]
    names = [text.get_text() for text in panel.get_xticklabels()]
    assert not panel.texts and names == [f"class {i}" for i in range(0, 100, 5)]
    boxes = [text.get_window_extent() for text in panel.get_yticklabels()]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_matrices_that_are_none_are_refused():
    with pytest.raises(
        ValueError, match=r"matrix must be \(K, K\) for K classes, got \(2, 3\) and 2 classes"
    ):
        plot_confusion(np.ones((2, 3)), ["a", "b"], title="t")
    with pytest.raises(ValueError, match="must hold counts, got -1"):
        plot_confusion(np.array([[1, -1], [0, 1]]), ["a", "b"], title="t")
