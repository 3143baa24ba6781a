"""Curves: means and intervals that cover, and a figure that shows what is in them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vision.analysis import accuracy_curves
from vision.plots import plot_accuracy


def records(values: dict[tuple[str, int], list[float]]) -> pd.DataFrame:
    rows = [
        {
            "data": "digits",
            "label": label,
            "train_size": size,
            "seed": seed,
            "subset_seed": seed,
            "test_accuracy": value,
        }
        for (label, size), several in values.items()
        for seed, value in enumerate(several)
    ]
    return pd.DataFrame(rows)


def test_mean_and_interval_are_students():
    values = [0.5, 0.6, 0.8]
    curve = accuracy_curves(records({("CNN", 50): values})).iloc[0]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (curve["n"], curve["mean"]) == (3, pytest.approx(np.mean(values)))
    assert curve["low"] == pytest.approx(max(0, low)) and curve["high"] == pytest.approx(min(1, high))


def test_one_run_has_a_mean_and_no_interval():
    curve = accuracy_curves(records({("CNN", 50): [0.7]})).iloc[0]
    assert curve["mean"] == 0.7 and np.isnan(curve["low"]) and np.isnan(curve["high"])


def test_the_interval_covers_the_truth_in_95_percent_of_sweeps():
    generator = np.random.default_rng(0)
    draws = generator.normal(0.5, 0.05, size=(2000, 3))
    curves = accuracy_curves(records({("CNN", i): list(draw) for i, draw in enumerate(draws)}))
    covered = ((curves["low"] <= 0.5) & (curves["high"] >= 0.5)).mean()
    assert covered == pytest.approx(0.95, abs=0.015)


def test_the_figure_has_a_line_a_model_and_a_tick_at_every_size():
    curves = accuracy_curves(records({(m, n): [0.1, 0.2] for m in ("CNN", "ViT") for n in (50, 100, 500)}))
    figure = plot_accuracy(curves, title="digits", notes="n = 2")
    (panel,) = figure.axes
    assert [line.get_label() for line in panel.get_lines()] == ["CNN", "ViT"]
    assert panel.get_xscale() == "log" and list(panel.get_xticks()) == [50, 100, 500]
    np.testing.assert_allclose(panel.get_lines()[0].get_ydata(), 15.0)
    assert len(panel.collections) == 2


def test_one_panel_a_data_set():
    two = pd.concat([records({("CNN", 50): [0.5]}), records({("CNN", 60): [0.5]}).assign(data="other")])
    assert len(plot_accuracy(accuracy_curves(two), title="both").axes) == 2
