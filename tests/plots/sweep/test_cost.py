"""Accuracy against cost: what is drawn is what is in the table, and no name covers another."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from figure_cases import legend_texts, x_of

from vision.plots import plot_cost


def points(count=3):
    rows = [(f"model {i}", 10_000 * 3**i, 1_000_000 * 4**i, 0.3 + 0.1 * i) for i in range(count)]
    table = pd.DataFrame(rows, columns=["label", "params", "macs", "mean"])
    return table.assign(low=table["mean"] - 0.02, high=table["mean"] + 0.02)


def crowded(count=14):
    return (
        points(1).loc[[0] * count].assign(label=[f"model {i}" for i in range(count)]).reset_index(drop=True)
    )


def test_accuracy_against_both_costs_on_log_scales_with_intervals():
    table = points()
    panels = plot_cost(table, title="t").axes
    for panel, cost in zip(panels, ("params", "macs"), strict=True):
        assert panel.get_xscale() == "log"
        for holder, row in zip(panel.containers, table.to_dict("records"), strict=True):
            middle, _, (bars,) = holder
            assert x_of(middle).tolist() == [row[cost]]
            np.testing.assert_allclose(middle.get_ydata(orig=False), [100 * row["mean"]])
            np.testing.assert_allclose(bars.get_segments()[0][:, 1], [100 * row["low"], 100 * row["high"]])
        assert len([text for text in panel.get_xticklabels() if text.get_text()]) >= 2
    assert [panel.get_xlabel() for panel in panels] == ["parameters", "multiply-adds per image"]
    assert "100k" in [text.get_text() for text in panels[0].get_xticklabels()]


def test_names_at_the_points_touch_nothing():
    figure = plot_cost(points(), title="t")
    assert not legend_texts(figure)
    for panel in figure.axes:
        assert [text.get_text() for text in panel.texts] == ["model 0", "model 1", "model 2"]
        boxes = [text.get_window_extent() for text in panel.texts]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        for holder in panel.containers:
            spot = panel.transData.transform(holder[0].get_xydata()[0])
            assert not any(box.contains(*spot) for box in boxes)
        whole = panel.get_window_extent()
        assert all(box.x0 >= whole.x0 - 1 and box.x1 <= whole.x1 + 1 for box in boxes)


def test_names_without_room_go_to_a_legend_and_no_two_models_look_alike():
    figure = plot_cost(crowded(), title="t")
    assert legend_texts(figure) == [f"model {i}" for i in range(14)]
    assert not any(panel.texts for panel in figure.axes)
    looks = {(one[0].get_marker(), one[0].get_fillstyle()) for one in figure.axes[0].containers}
    assert len(looks) == 14  # apart from their colours
    assert figure.get_figheight() > plot_cost(points(), title="t").get_figheight() + 0.5


def test_models_of_one_cost_and_one_run_can_be_drawn():
    table = crowded(2).assign(mean=[0.3, 0.5], low=np.nan, high=np.nan)
    panel = plot_cost(table, title="t").axes[0]
    low, high = panel.get_xlim()
    assert high / low == pytest.approx(3) and np.ptp(panel.containers[0][2][0].get_segments()[0][:, 1]) == 0
    with pytest.raises(ValueError, match="one row per label, got several of model 0"):
        plot_cost(pd.concat([points(), points(1)]), title="t")
