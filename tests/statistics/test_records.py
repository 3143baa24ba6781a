"""The table of runs, ours or from elsewhere, and errors that name what is missing."""

import io

import numpy as np
import pandas as pd
import pytest

from vision.statistics import (
    accuracy_curves,
    check_columns,
    compare_models,
    data_equivalence,
    paired_differences,
    scaling_fit,
)
from vision.statistics.records import runs_of

SIZES = (100, 300, 1000, 3000)


def elsewhere() -> pd.DataFrame:
    """A CSV with four columns: the error of A is 4 n^-0.4, that of B is 0.6 n^-0.1, each within 2%."""
    lines = ["label,train_size,seed,test_accuracy"]
    for label, scale, exponent in (("A", 4.0, 0.4), ("B", 0.6, 0.1)):
        for size in SIZES:
            for seed, factor in enumerate((0.98, 1.0, 1.02)):
                lines.append(f"{label},{size},{seed},{1 - factor * scale * size**-exponent}")
    return pd.read_csv(io.StringIO("\n".join(lines)))


def test_a_csv_of_four_columns_is_enough_for_every_analysis():
    runs = elsewhere()
    curves = accuracy_curves(runs)
    assert set(curves["data"]) == {"unnamed"} and (curves["n"] == 3).all() and len(curves) == 8
    assert paired_differences(runs, "A", "B")["n"].tolist() == [3] * 4
    found = compare_models(runs, "A", "B")
    assert found.answer == "crosses" and found.crossings[0].leader == "B"
    assert found.crossings[0].size == pytest.approx((4 / 0.6) ** (1 / 0.3), rel=1e-6)
    assert scaling_fit(runs, "A", draws=10).parameters["b"] == pytest.approx(0.4)
    worth = data_equivalence(runs, "A", "B", draws=10).set_index("train_size")
    assert worth["images"][3000] == pytest.approx((0.6 * 3000**-0.1 / 4) ** (-1 / 0.4), rel=1e-4)


def test_missing_columns_are_named_with_what_is_needed():
    with pytest.raises(
        ValueError, match=r"columns label, seed, train_size; missing are seed, train_size, got label"
    ):
        check_columns(pd.DataFrame({"label": ["A"]}), ("label", "seed", "train_size"))
    for call in (lambda runs: scaling_fit(runs, "A"), lambda runs: runs_of(runs, ["A"], "test_accuracy")):
        with pytest.raises(
            ValueError, match=r"missing are train_size, .*train_size: number of training images"
        ):
            call(elsewhere().drop(columns="train_size"))
    with pytest.raises(ValueError, match="missing are seed"):
        accuracy_curves(elsewhere().drop(columns="seed"))
    percents = elsewhere().assign(test_accuracy=79.8)
    with pytest.raises(ValueError, match=r"test_accuracy must be a share in \[0, 1\].* got 79.8"):
        scaling_fit(percents, "A")
    with pytest.raises(ValueError, match="metric must be a column such as test_accuracy; got 'top5'"):
        paired_differences(elsewhere(), "A", "B", metric="top5")
    with pytest.raises(ValueError, match="train_size must be a number of images, got 'all'"):
        scaling_fit(elsewhere().assign(train_size="all"), "A")


def test_a_run_counts_once_and_two_results_of_it_are_refused():
    runs = elsewhere()
    twice = pd.concat([runs, runs])
    pd.testing.assert_frame_equal(accuracy_curves(twice), accuracy_curves(runs))
    assert len(runs_of(twice, ("A",), "test_accuracy")) == 12
    other = pd.concat([runs, runs.assign(test_accuracy=runs["test_accuracy"] / 2)])
    for call in (accuracy_curves, lambda table: scaling_fit(table, "A")):
        with pytest.raises(
            ValueError, match=r"several runs of .*A.*100.*seed 0 differ in test_accuracy .*subset_seed"
        ):
            call(other)
    apart = other.assign(subset_seed=[0] * len(runs) + [1] * len(runs))
    curves = accuracy_curves(apart)  # three seeds on each of two subsets: the subsets are what repeats
    assert (curves["n"] == 2).all()
    means = apart.groupby(["label", "train_size"])["test_accuracy"].mean()
    assert curves["mean"].to_numpy() == pytest.approx(means.to_numpy())


def test_runs_of_several_data_sets_are_not_thrown_together():
    both = pd.concat([elsewhere().assign(data="digits"), elsewhere().assign(data="svhn")])
    for call in (compare_models, paired_differences, data_equivalence):
        with pytest.raises(ValueError, match="got digits, svhn; select one by the column `data`"):
            call(both, "A", "B")
    with pytest.raises(ValueError, match="no runs of C; the records have runs of A, B"):
        scaling_fit(both, "C")


def test_subsets_are_what_repeats_at_the_sizes_that_have_several():
    rows = [("A", 100, seed, subset, 0.5 + subset / 10) for subset in range(3) for seed in range(3)]
    rows += [("A", 500, seed, 0, 0.8 + seed / 100) for seed in range(5)]
    rows += [("B", 100, seed, np.nan, 0.5 + seed / 100) for seed in range(9)]
    runs = pd.DataFrame(rows, columns=["label", "train_size", "seed", "subset_seed", "test_accuracy"])
    curves = accuracy_curves(runs).set_index(["label", "train_size"])
    assert curves["n"].to_dict() == {("A", 100): 3, ("A", 500): 5, ("B", 100): 9}
    assert len(runs_of(runs, ("A", "B"), "test_accuracy")) == 3 + 5 + 9


def test_runs_of_one_model_that_differ_in_settings_are_refused_by_every_analysis():
    runs = elsewhere().assign(**{"training.lr": lambda t: t["seed"].map(lambda seed: 0.1 if seed else 0.2)})
    for call in (compare_models, paired_differences, data_equivalence):
        with pytest.raises(ValueError, match=r"the runs of A differ in training.lr \(0.1, 0.2\); select one"):
            call(runs, "A", "B")
    with pytest.raises(ValueError, match=r"the runs of A differ in training.lr"):
        scaling_fit(runs, "A")


@pytest.mark.slow
def test_of_3_subsets_with_3_seeds_each_the_subsets_are_what_repeats():
    """Subsets differ twice as much as seeds: as nine runs, the interval would cover in 70 of 100."""
    generator, covered = np.random.default_rng(0), []
    for _ in range(300):
        subsets = generator.normal(0, 0.02, 3)
        rows = [
            ("A", 100, seed, subset, 0.5 + subsets[subset] + generator.normal(0, 0.01))
            for subset in range(3)
            for seed in range(3)
        ]
        runs = pd.DataFrame(rows, columns=["label", "train_size", "seed", "subset_seed", "test_accuracy"])
        (point,) = accuracy_curves(runs).to_dict("records")
        assert point["n"] == 3
        covered.append(point["low"] <= 0.5 <= point["high"])
    assert 0.92 <= np.mean(covered) <= 0.98
