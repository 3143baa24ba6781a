"""The figure of the error of a soft convolution."""

import numpy as np
import pandas as pd
import pytest
from soft_cases import conv_of, example_images
from soft_convolution import plot_soft_error

from vision.soften.error_bound import soft_errors


def test_the_figure_shows_bound_ring_and_no_ring_in_both_regions():
    table = soft_errors(conv_of("plain"), [2.0, 1.0, 4.0], example_images())
    figure = plot_soft_error(table, title="3x3", notes="n = 2")
    assert len(figure.axes) == 2
    for panel, region in zip(figure.axes, ("inside", "border"), strict=True):
        assert panel.get_yscale() == "log" and region in panel.get_title()
        lines = {str(line.get_label()): line for line in panel.get_lines()}
        assert set(lines) == {"bound", "measured, with a ring of zero tokens", "measured, without a ring"}
        rows = table[(table["region"] == region) & ~table["ring"]].sort_values("alpha")
        drawn = lines["measured, without a ring"]
        assert np.asarray(drawn.get_xdata()).tolist() == [1.0, 2.0, 4.0]
        assert np.asarray(drawn.get_ydata()).tolist() == rows["measured"].tolist()


def test_a_table_without_a_known_region_is_refused():
    row = {"alpha": 1.0, "region": "corner", "ring": True, "measured": 1.0, "bound": 2.0}
    with pytest.raises(ValueError, match=r"region must be one of inside, border, got \['corner'\]"):
        plot_soft_error(pd.DataFrame([row]), title="x")
