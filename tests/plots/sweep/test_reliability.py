"""The reliability diagram: its points, its diagonal and its panels."""

import pandas as pd
import pytest
from figure_cases import bands, labelled, legend_texts, x_of, y_of

from vision.plots import plot_reliability


def bins() -> pd.DataFrame:
    rows = [
        (label, size, level, 0.3 * level, 0.3 * level + shift)
        for label, shift in (("CNN", 0.05), ("ViT", -0.1))
        for size in (100, 1000)
        for level in (1, 2, 3)
    ]
    table = pd.DataFrame(rows, columns=["label", "train_size", "level", "confidence", "mean"])
    return table.assign(low=table["mean"] - 0.04, high=table["mean"] + 0.04, n=3)


def test_it_draws_accuracy_against_confidence_for_each_size():
    figure = plot_reliability(bins(), title="digits")
    assert [panel.get_title() for panel in figure.axes] == ["100 training images", "1,000 training images"]
    for panel in figure.axes:
        lines = labelled(panel)
        assert x_of(lines["CNN"]).tolist() == pytest.approx([30, 60, 90])
        assert y_of(lines["ViT"]).tolist() == pytest.approx([20, 50, 80])
        assert y_of(lines["as sure as right"]).tolist() == [0, 100] and len(bands(panel)) == 2
    assert legend_texts(figure) == ["CNN", "ViT", "as sure as right"]


def test_a_column_must_not_be_missing():
    with pytest.raises(ValueError, match="none named low"):
        plot_reliability(bins().drop(columns="low"), title="digits")
