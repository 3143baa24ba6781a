"""Train and test accuracy: what is drawn is what is in the table."""

import numpy as np
import pytest
from figure_cases import MEANS, curves, labelled, legend_texts, y_of
from matplotlib.colors import same_color

from vision.plots import plot_train_test_gap
from vision.plots.layout.style import PAPER


def test_train_is_dashed_and_hollow_test_solid_and_the_gap_is_written():
    train = curves({"CNN": [1.0, 0.9, 0.8], "ViT": [1.0, 1.0, 0.85]})
    figure = plot_train_test_gap(train, curves(), title="t")
    assert [panel.get_title() for panel in figure.axes] == ["CNN", "ViT"]
    for panel, (label, means) in zip(figure.axes, MEANS.items(), strict=True):
        lines = labelled(panel)
        np.testing.assert_allclose(y_of(lines["test"]), 100 * np.array(means))
        np.testing.assert_allclose(y_of(lines["train"]), 100 * train[train["label"] == label]["mean"])
        assert (lines["train"].get_linestyle(), lines["test"].get_linestyle()) == ("--", "-")
        assert same_color(lines["train"].get_markerfacecolor(), PAPER)
        assert same_color(lines["test"].get_markerfacecolor(), lines["test"].get_color())
    # 10,000 images: gaps of 10 and 5 points, too small to write into.
    assert [[text.get_text() for text in panel.texts] for panel in figure.axes] == [
        ["70", "40"],
        ["80", "50"],
    ]
    assert legend_texts(figure) == ["train (hollow)", "test", "gap, in points"]


def test_tables_of_train_and_test_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="train and test must have one row for each label and train_size"):
        plot_train_test_gap(curves().iloc[1:], curves(), title="t")
