"""Similarity of layers: what is drawn is what is in the table."""

import numpy as np
import pandas as pd
from figure_cases import png, values_of

from vision.plots import plot_cka


def test_cka_names_its_layers_and_writes_its_numbers():
    table = pd.DataFrame([[1.0, 0.25], [0.5, 0.75], [0.0, 0.125]], ["a", "b", "c"], ["x", "y"])
    figure = plot_cka(table, title="alike", rows="one", columns="other")
    panel = figure.axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["a", "b", "c"]
    assert [text.get_text() for text in panel.texts] == ["1.00", "0.25", "0.50", "0.75", "0.00", "0.12"]
    assert np.array_equal(values_of(panel.images[0]), table) and png(figure)


def test_cka_of_many_layers_names_some_of_them():
    table = pd.DataFrame(np.eye(70), [f"a{i}" for i in range(70)], [f"b{i}" for i in range(70)])
    panel = plot_cka(table, title="alike", rows="one", columns="other").axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()][:3] == ["a0", "a3", "a6"]
    assert not panel.texts and len(panel.get_xticklabels()) == 24
