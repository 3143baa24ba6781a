"""Accuracy by class: what is drawn is what is in the table."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from figure_cases import legend_texts, position_of, y_of

from vision.plots import plot_class_accuracy


def by_class(count, labels=("CNN", "ViT")):
    rows = [
        {"label": label, "class": f"class {c}", "train_size": size, "mean": (c + 1) / 100 + size / 10_000}
        for label in labels
        for c in range(count)
        for size in (50, 500, 1200)
    ]
    table = pd.DataFrame(rows)
    return table.assign(low=table["mean"] - 0.005, high=table["mean"] + 0.005)


def test_ten_classes_take_two_rows_of_five_on_shared_axes():
    table = by_class(10)
    figure = plot_class_accuracy(table, title="t", notes="n = 3")
    assert [panel.get_title() for panel in figure.axes] == [f"class {c}" for c in range(10)]
    grid = position_of(figure.axes[0]).get_gridspec()
    assert (grid.nrows, grid.ncols) == (2, 5)
    for c, panel in enumerate(figure.axes):
        for line in panel.get_lines():
            rows = table[(table["class"] == f"class {c}") & (table["label"] == line.get_label())]
            np.testing.assert_allclose(y_of(line), 100 * rows["mean"])
        assert len(panel.collections) == 2 and panel.get_ylim() == figure.axes[0].get_ylim()
    assert legend_texts(figure) == ["CNN", "ViT"] and figure.get_supxlabel() == "n = 3"


def test_numbers_of_neighbouring_panels_do_not_touch():
    figure = plot_class_accuracy(by_class(10), title="t")
    below = [text for panel in figure.axes[5:] for text in panel.get_xticklabels() if text.get_text()]
    assert [text.get_text() for text in below] == ["50", "\n500", "1.2k"] * 5
    for row in (below[::3] + below[2::3], below[1::3]):
        boxes = sorted((text.get_window_extent() for text in row), key=lambda box: box.x0)
        assert all(one.x1 < other.x0 for one, other in pairwise(boxes))


@pytest.mark.slow
def test_of_many_classes_the_best_and_the_worst_are_shown_and_a_note_reports_it():
    figure = plot_class_accuracy(by_class(40), title="t", notes="n = 3")
    best, worst = [f"class {c}" for c in range(39, 34, -1)], [f"class {c}" for c in range(4, -1, -1)]
    assert [panel.get_title() for panel in figure.axes] == best + worst
    small = figure.get_supxlabel().replace("\n", " ")
    assert small == "the 5 best and 5 worst of 40 classes at 1,200 images, mean over models; n = 3"


def test_classes_of_one_run_have_no_band():
    table = by_class(3).assign(low=np.nan, high=np.nan)
    assert not any(panel.collections for panel in plot_class_accuracy(table, title="t").axes)
    with pytest.raises(ValueError, match="got none named class"):
        plot_class_accuracy(table.drop(columns="class"), title="t")
