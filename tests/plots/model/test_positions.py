"""Similarity of positions: what is drawn is what was given."""

import numpy as np
import pytest
from figure_cases import png, values_of

from vision.plots import plot_position_similarity


@pytest.mark.parametrize(("side", "maps"), [(3, 9), (16, 64), (9, 25)])
@pytest.mark.slow
def test_a_small_map_for_each_position_or_every_second(side, maps):
    similarity = np.random.default_rng(0).random((side, side, side, side))
    figure = plot_position_similarity(similarity, title="positions")
    panels = [panel for panel in figure.axes if panel.get_label() != "<colorbar>"]
    assert len(panels) == maps
    step = 1 if side == 3 else 2
    assert np.array_equal(values_of(panels[1].images[0]), similarity[0, step])
    assert side > 3 or png(figure)  # drawing 64 maps takes a second
