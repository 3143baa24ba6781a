"""Confusion matrices: what is drawn is what was counted."""

import numpy as np
import pytest
from figure_cases import values_of

from vision.plots import plot_confusion
from vision.plots.layout.heatmap_cells import DARK, LIGHT


def test_confusion_is_by_rows_in_percents_and_written():
    figure = plot_confusion(np.array([[8, 2, 0], [1, 3, 0], [0, 0, 0]]), ["cat", "dog", "ship"], title="t")
    panel = figure.axes[0]
    shown = np.ma.filled(values_of(panel.images[0]), np.nan)
    np.testing.assert_allclose(shown, [[80, 20, 0], [25, 75, 0], [np.nan] * 3])
    assert [text.get_text() for text in panel.texts] == ["80", "20", "0", "25", "75", "0"]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["cat", "dog", "ship"]
    low, high = panel.get_ylim()
    assert low > high  # the first class is on top
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("predicted class", "true class")
    assert {text.get_text(): text.get_color() for text in panel.texts}["80"] == LIGHT
    assert {text.get_text(): text.get_color() for text in panel.texts}["20"] == DARK


@pytest.mark.filterwarnings("error")
def test_many_classes_have_no_numbers_and_few_names():
    panel = plot_confusion(np.eye(100), [f"class {i}" for i in range(100)], title="t").axes[0]
    names = [text.get_text() for text in panel.get_xticklabels()]
    assert not panel.texts and names == [f"class {i}" for i in range(0, 100, 5)]
    boxes = [text.get_window_extent() for text in panel.get_yticklabels()]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_what_is_not_a_matrix_of_counts_is_refused():
    with pytest.raises(
        ValueError, match=r"matrix must be \(K, K\) for K classes, got \(2, 3\) and 2 classes"
    ):
        plot_confusion(np.ones((2, 3)), ["a", "b"], title="t")
    with pytest.raises(ValueError, match="must hold counts, got -1"):
        plot_confusion(np.array([[1, -1], [0, 1]]), ["a", "b"], title="t")
