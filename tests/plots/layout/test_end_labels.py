"""Names at the ends of lines: as near to their lines as they can be without overlap."""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from vision.plots.layout.end_labels import spread


@pytest.mark.parametrize("seed", range(5))
def test_names_stand_at_the_nearest_heights_that_are_apart(seed):
    wanted, gap = np.random.default_rng(seed).uniform(0, 1, 9), 0.1
    heights = spread(wanted, gap, -9.0, 9.0)
    order = np.argsort(wanted)
    steps = gap * np.arange(9)
    assert heights[order] == pytest.approx(isotonic_regression(wanted[order] - steps).x + steps)
    assert (np.diff(heights[order]) >= gap - 1e-12).all()
