"""Cells of a heatmap: colours and the text on them can be read."""

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from vision.plots.layout.heatmap_cells import DARK, FROM_PAPER, LIGHT, SEQUENTIAL, luminance, readable_on
from vision.plots.layout.style import PAPER


@pytest.mark.parametrize(("name", "rises"), [(SEQUENTIAL, True), (FROM_PAPER, False)])
def test_a_maps_lightness_only_rises_or_only_falls(name, rises):
    light = np.array([luminance(colour) for colour in colormaps[name](np.linspace(0, 1, 64))])
    assert (np.diff(light if rises else -light) > 0).all()
    assert np.ptp(light) > 0.5


@pytest.mark.parametrize("name", [SEQUENTIAL, FROM_PAPER])
def test_what_is_written_on_a_cell_can_be_read(name):
    for colour in colormaps[name](np.linspace(0, 1, 64)):
        parts = sorted((luminance(colour), luminance(to_rgb(readable_on(colour)))))
        assert (parts[1] + 0.05) / (parts[0] + 0.05) >= 4  # WCAG requires 3 for large text, 4.5 for small
    assert {readable_on((0, 0, 0)), readable_on((1, 1, 1))} == {DARK, LIGHT} and PAPER not in (DARK, LIGHT)
