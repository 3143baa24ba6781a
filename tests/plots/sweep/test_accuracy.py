"""Accuracy curves: what is drawn is what is in the table."""

import numpy as np
import pandas as pd
import pytest
from figure_cases import SIZES, bands, curves, labelled, legend_texts, one_run, position_of, x_of, y_of

from vision.plots import plot_accuracy


@pytest.mark.parametrize("centre", ["mean", "median", "iqm"])
def test_accuracy_draws_the_column_that_is_asked_for(centre):
    table = curves()
    table = table.assign(median=table["mean"] + 0.01, iqm=table["mean"] - 0.01)
    (panel,) = plot_accuracy(table, title="t", centre=centre).axes
    for label, line in labelled(panel).items():
        np.testing.assert_allclose(y_of(line), 100 * table.loc[table["label"] == label, centre])
        assert x_of(line).tolist() == list(SIZES)
    ends = bands(panel)[0].get_paths()[0].get_extents()
    assert (ends.y0, ends.y1) == pytest.approx((25, 75))
    with pytest.raises(ValueError, match=r"curves must have columns .*, got none named trimmed"):
        plot_accuracy(table, title="t", centre="trimmed")


def test_one_run_has_no_band():
    (panel,) = plot_accuracy(one_run(curves()), title="t").axes
    assert not panel.collections and len(labelled(panel)) == 2


def test_panels_are_in_rows_of_two_with_one_legend_and_named_axes():
    table = pd.concat([curves(data=name) for name in ("a", "b", "c")])
    figure = plot_accuracy(table, title="t")
    positions = [position_of(panel) for panel in figure.axes]
    assert [(one.rowspan.start, one.colspan.start) for one in positions] == [(0, 0), (0, 1), (1, 0)]
    assert [panel.get_title() for panel in figure.axes] == ["a", "b", "c"]
    assert legend_texts(figure) == ["CNN", "ViT"] and figure.get_figwidth() == 5.0
    (body,) = figure.subfigs
    assert (body.get_supxlabel(), body.get_supylabel()) == (
        "training images (log scale)",
        "test accuracy (%)",
    )
    # The panel with none below it has numbers.
    assert [bool(panel.xaxis.get_tick_params()["labelbottom"]) for panel in figure.axes] == [
        False,
        True,
        True,
    ]


def test_a_line_that_only_one_panel_has_is_in_the_legend():
    table = pd.concat([curves(), curves({"MLP": [0.1, 0.2, 0.3]}, data="other")])
    assert legend_texts(plot_accuracy(table, title="t")) == ["CNN", "ViT", "MLP"]
