"""Curves: means and intervals that cover, and a figure that shows what is in them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vision.plots import plot_accuracy
from vision.statistics import accuracy_curves, choose_by_validation


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


@pytest.mark.slow
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
    np.testing.assert_allclose(np.asarray(panel.get_lines()[0].get_ydata()), 15.0)
    assert len(panel.collections) == 2


def test_one_panel_a_data_set():
    two = pd.concat([records({("CNN", 50): [0.5]}), records({("CNN", 60): [0.5]}).assign(data="other")])
    assert len(plot_accuracy(accuracy_curves(two), title="both").axes) == 2
    with pytest.raises(ValueError, match="several data sets are not averaged: digits, other; separate them"):
        accuracy_curves(two, panel="label")


def searched() -> pd.DataFrame:
    """Two learning rates, two sizes, two seeds: validation prefers 0.1 at 50 images and 0.2 at 500."""
    rows = []
    for lr, size, seed in ((lr, size, seed) for lr in (0.1, 0.2) for size in (50, 500) for seed in (0, 1)):
        good = (lr == 0.1) == (size == 50)
        rows.append(
            {
                "data": "digits",
                "label": "CNN",
                "train_size": size,
                "seed": seed,
                "subset_seed": seed,
                "training.lr": lr,
                "val_accuracy": 0.8 if good else 0.7,
                "test_accuracy": 0.5 if good else 0.9,
            }
        )
    return pd.DataFrame(rows)


def test_any_setting_can_be_an_axis():
    curves = accuracy_curves(searched(), x="training.lr", line="train_size", panel="label")
    assert list(curves.columns[:3]) == ["label", "train_size", "training.lr"] and len(curves) == 4
    figure = plot_accuracy(curves, title="", x="training.lr", line="train_size", panel="label")
    (panel,) = figure.axes
    lines = [line for line in panel.get_lines() if line.get_label() in ("50", "500")]
    assert [np.asarray(line.get_ydata()).tolist() for line in lines] == [[50.0, 90.0], [90.0, 50.0]]
    rings = [line for line in panel.get_lines() if line not in lines]
    assert [tuple(np.asarray(ring.get_xydata())[0]) for ring in rings] == [(0.2, 90.0), (0.1, 90.0)]
    assert panel.get_title() == "CNN" and panel.get_xlabel() == "lr"


def test_a_ring_needs_more_than_chance():
    curves = accuracy_curves(records({("CNN", n): [0.3 + n / 1000, 0.6] for n in (50, 60)}), x="train_size")
    curves = curves.rename(columns={"train_size": "places"})
    (panel,) = plot_accuracy(curves, title="", x="places", xlabel="metres").axes
    assert len(panel.get_lines()) == 1 and panel.get_xlabel() == "metres"


def test_several_settings_make_one_axis_by_what_is_set():
    runs = pd.DataFrame({"training.steps": [300.0, None], "training.epochs": [None, 30.0]})
    runs = runs.assign(data="d", train_size=50, seed=0, test_accuracy=0.5)
    curves = accuracy_curves(runs, line="training.steps,training.epochs")
    assert curves["training.steps,training.epochs"].tolist() == ["epochs 30", "steps 300"]


def test_numbers_set_as_text_are_an_axis_of_numbers():
    curves = accuracy_curves(
        searched().assign(distance="10"), x="distance", line="training.lr", panel="train_size"
    )
    assert sorted(set(curves["distance"])) == [10]


def test_runs_that_differ_in_more_than_seeds_are_not_averaged():
    with pytest.raises(ValueError, match=r"CNN differ in training.lr \(0.1, 0.2\).*--line training.lr"):
        accuracy_curves(searched())
    with pytest.raises(ValueError, match=r"differ in train_size \(50, 500\)"):
        accuracy_curves(searched(), x="training.lr")
    with pytest.raises(ValueError, match=r"no column training.wd in these runs; .* train_size, training.lr"):
        accuracy_curves(searched(), x="training.wd")
    with pytest.raises(
        ValueError, match=r"metric must be a share in .0, 1. such as val_accuracy, test_accuracy; got .label."
    ):
        accuracy_curves(searched(), x="training.lr", line="train_size", metric="label")


def test_the_choice_depends_on_validation_alone():
    kept, choices = choose_by_validation(searched(), ["training.lr"], by=["label", "train_size"])
    assert dict(zip(choices["train_size"], choices["training.lr"], strict=True)) == {50: 0.1, 500: 0.2}
    assert (choices["tried"] == 2).all() and (choices["runs of each"] == 2).all()
    curves = accuracy_curves(kept.drop(columns="training.lr"))
    assert curves["mean"].tolist() == [0.5, 0.5] and curves["n"].tolist() == [2, 2]
    by = ["label", "train_size"]
    with pytest.raises(ValueError, match="tried with the same seeds"):
        choose_by_validation(searched().iloc[1:], ["training.lr"], by=by)
    unfinished = searched().query("not (`training.lr` == 0.2 and train_size == 500)")
    with pytest.raises(ValueError, match="not searched equally"):
        choose_by_validation(unfinished, ["training.lr"], by=by)
    with pytest.raises(ValueError, match=r"nothing to choose: all runs have the same seed_of; .* train_size"):
        choose_by_validation(searched().assign(seed_of=1), ["seed_of"], by=by)
    with pytest.raises(ValueError, match="train_size cannot be chosen and be an axis"):
        choose_by_validation(searched(), ["train_size"], by=by)
    with pytest.raises(ValueError, match=r"no run has a value of val_accuracy; .*data.val_fraction"):
        choose_by_validation(searched().assign(val_accuracy=np.nan), ["training.lr"], by=by)


def test_models_along_an_axis_have_a_row_each_the_best_on_top():
    runs = records({(m, n): [v, v + 0.1] for m, v in (("a", 0.3), ("b", 0.6)) for n in (50, 100)})
    curves = accuracy_curves(runs, x="label", line="train_size")
    (panel,) = plot_accuracy(curves, title="", x="label", line="train_size").axes
    assert [tick.get_text() for tick in panel.get_yticklabels()] == ["a", "b"]
    assert panel.get_xlabel() == "test accuracy (%)"
