"""Differences between models: what is drawn is what is in the table."""

import numpy as np
import pandas as pd
import pytest
from figure_cases import SIZES, bands, end_labels, labelled, legend_texts, one_run, x_of, y_of
from matplotlib.colors import same_color
from matplotlib.patches import Rectangle

from vision.plots import plot_difference
from vision.plots.layout.style import COLOURS, PAPER


def gains(means=(0.04, 0.01, -0.03), half=0.02):
    table = pd.DataFrame({"train_size": SIZES, "n": 3, "mean": means})
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def test_the_lead_is_in_points_and_hollow_where_its_interval_contains_0():
    figure = plot_difference(gains(), first="CNN", second="ViT", title="t")
    (panel,) = figure.axes
    line = labelled(panel)["over ViT"]
    np.testing.assert_allclose(y_of(line), [4, 1, -3])
    (hollow,) = (one for one in panel.get_lines() if one.get_label() == "_hollow")
    assert x_of(hollow).tolist() == [1000] and same_color(hollow.get_markerfacecolor(), PAPER)
    box = bands(panel)[0].get_paths()[0].get_extents()
    assert (box.y0, box.y1) == pytest.approx((-5, 6))
    assert legend_texts(figure) == ["interval contains 0"]  # the words at zero name the only other model
    assert {"+4", "0", "−4"} <= {text.get_text() for text in panel.get_yticklabels()}


def test_who_is_ahead_is_written_above_and_below_zero_and_on_no_band():
    (panel,) = plot_difference(gains(), first="CNN", second="ViT", title="t").axes
    above, below = panel.texts
    assert (above.get_text(), below.get_text()) == ("▲ CNN ahead", "▼ ViT ahead")
    to_data = panel.transData.inverted()
    spans = [to_data.transform(text.get_window_extent())[:, 1] for text in (above, below)]
    assert spans[0][0] > 6 and spans[1][1] < -5


@pytest.mark.parametrize("sign", [1, -1])
def test_a_gain_of_one_sign_leaves_room_for_both_names(sign):
    means = [sign * mean for mean in (0.04, 0.05, 0.06)]
    (panel,) = plot_difference(gains(means), first="CNN", second="ViT", title="t").axes
    low, high = panel.get_ylim()
    assert low < 0 < high
    to_data = panel.transData.inverted()
    top, bottom = (to_data.transform(text.get_window_extent())[:, 1] for text in panel.texts)
    assert top[0] > 0 > bottom[1]


def test_every_crossing_is_shaded_and_in_the_legend():
    crossings = [(150, 200, 300), (1200, 1900, float("inf"))]
    figure = plot_difference(gains(), first="CNN", second="ViT", title="t", crossings=crossings)
    (panel,) = figure.axes
    first, second = (patch for patch in panel.patches if isinstance(patch, Rectangle))
    assert len(panel.patches) == 2
    assert (first.get_x(), first.get_width()) == (150, 150)
    assert second.get_x() == 1200 and second.get_x() + second.get_width() == panel.get_xlim()[1]
    drawn = [x_of(line).tolist() for line in panel.get_lines()]
    assert [200, 200] in drawn and [1900, 1900] in drawn
    assert legend_texts(figure)[-2:] == ["crossing: 200 (150 to 300)", "crossing: 1,900 (1,200 or more)"]


def test_several_second_models_have_a_line_each():
    figure = plot_difference({"ViT": gains(), "MLP": gains((0.1, 0.1, 0.1))}, first="CNN", title="t")
    lines = labelled(figure.axes[0])
    np.testing.assert_allclose(y_of(lines["over MLP"]), [10, 10, 10])
    looks = {(line.get_marker(), line.get_color()) for line in lines.values()}
    assert len(looks) == 2 and (COLOURS[0] not in {colour for _, colour in looks})
    assert [text.get_text() for text in figure.axes[0].texts][1] == "▼ the other ahead"
    assert {text.get_text() for text in end_labels(figure.axes[0])} == {"ViT", "MLP"}
    assert legend_texts(figure) == ["interval contains 0"]
    with pytest.raises(ValueError, match="differences to MLP must have columns"):
        plot_difference({"ViT": gains(), "MLP": gains()[["n"]]}, first="CNN", title="t")


def test_a_gain_of_one_run_is_hollow_and_has_no_band():
    figure = plot_difference(one_run(gains()), first="CNN", second="ViT", title="t")
    (panel,) = figure.axes
    assert legend_texts(figure) == ["interval contains 0, or a single pair of runs"]
    (hollow,) = (one for one in panel.get_lines() if one.get_label() == "_hollow")
    assert not bands(panel) and x_of(hollow).tolist() == list(SIZES)


def test_single_pairs_of_runs_are_faint_dots_within_the_panel():
    pairs = pd.DataFrame({"train_size": [100, 100], "difference": [0.2, -0.12]})
    figure = plot_difference(gains(), first="CNN", second="ViT", title="t", pairs={"ViT": pairs})
    (panel,) = figure.axes
    (dots,) = (line for line in panel.get_lines() if line.get_label() == "_runs")
    np.testing.assert_allclose(y_of(dots), [20, -12])
    low, high = panel.get_ylim()
    assert low < -12 and high > 20 and figure.get_supxlabel() == "dots: single pairs of runs"
