"""Paired runs: what both share cancels, and runs that form no pair are refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vision.statistics import paired_differences, paired_runs


def sweep(generator, *, sizes=(100, 1000), seeds=5, shared=0.1, noise=0.01) -> pd.DataFrame:
    """B is 2 points better than A on each subset; the subsets differ by more than that."""
    rows = []
    for size in sizes:
        for seed in range(seeds):
            subset = 0.5 + generator.normal(0, shared)
            for label, gain in (("A", 0.0), ("B", 0.02)):
                value = np.clip(subset + gain + generator.normal(0, noise), 0, 1)
                rows.append((label, size, seed, seed, f"{size}-{seed}", value))
    return pd.DataFrame(
        rows, columns=["label", "train_size", "seed", "subset_seed", "subset_sha256", "test_accuracy"]
    )


def test_a_pair_is_a_size_a_seed_and_a_subset():
    runs = sweep(np.random.default_rng(0)).sample(frac=1, random_state=0)
    pairs = paired_runs(runs[~((runs["label"] == "B") & (runs["seed"] == 3))], "A", "B")
    names = ["train_size", "seed", "subset_seed", "first", "second", "difference", "log_ratio"]
    assert list(pairs) == names and pairs["seed"].tolist() == [0, 1, 2, 4] * 2
    one = runs[(runs["train_size"] == 1000) & (runs["seed"] == 4)].set_index("label")["test_accuracy"]
    last = pairs.iloc[-1]
    assert (last["first"], last["second"], last["difference"]) == (one["A"], one["B"], one["A"] - one["B"])
    assert last["log_ratio"] == pytest.approx(np.log((1 - one["A"]) / (1 - one["B"])))


def test_the_paired_difference_is_that_of_the_paired_t_test():
    runs = sweep(np.random.default_rng(1))
    row = paired_differences(runs, "A", "B").set_index("train_size").to_dict("index")[1000]
    a, b = (
        runs[(runs["label"] == label) & (runs["train_size"] == 1000)]["test_accuracy"].to_numpy()
        for label in "AB"
    )
    test = stats.ttest_rel(a, b)
    assert (row["n"], row["mean"], row["p"]) == (5, pytest.approx(np.mean(a - b)), pytest.approx(test.pvalue))
    expected = test.confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
    bca = paired_differences(runs, "A", "B", interval="bca").set_index("train_size").to_dict("index")[1000]
    assert bca["p"] == row["p"] and bca["high"] - bca["low"] < row["high"] - row["low"]


@pytest.mark.slow
def test_pairs_cover_the_true_difference_and_are_sharper_than_the_curves():
    generator = np.random.default_rng(2)
    table = paired_differences(sweep(generator, sizes=range(1, 1501), seeds=3), "A", "B")
    covered = (table["low"] <= -0.02) & (table["high"] >= -0.02)
    assert covered.mean() == pytest.approx(0.95, abs=0.02)
    # Unpaired, the subsets' spread of 0.1 would make the half width 4.3 * 0.1 / 3**0.5 = 0.25.
    assert (table["high"] - table["low"]).median() < 0.1


def test_one_pair_and_equal_differences_have_no_test():
    one = paired_differences(sweep(np.random.default_rng(0), seeds=1), "A", "B").iloc[0]
    assert one["n"] == 1 and np.isnan(one[["low", "high", "p"]].astype(float)).all()
    same = sweep(np.random.default_rng(0)).assign(test_accuracy=0.5)
    assert np.isnan(paired_differences(same, "A", "B")["p"]).all()
    assert (paired_differences(same, "A", "B")[["mean", "low", "high"]] == 0).all(axis=None)


def test_runs_that_form_no_pair_are_refused():
    runs = sweep(np.random.default_rng(0))
    other = runs.assign(
        subset_sha256=np.where(runs["label"] == "B", "0123456789" + runs["subset_sha256"], "abcdefghij")
    )
    with pytest.raises(
        ValueError, match=r"'A' and 'B' at 100 images with seed 0 .*different subsets.*abcdefgh and 01234567"
    ):
        paired_runs(other, "A", "B")
    tested = runs.assign(n_test=np.where(runs["label"] == "B", 100, 10_000))
    with pytest.raises(ValueError, match=r"tested on different images, n_test 10000 and 100; a comparison"):
        paired_runs(tested, "A", "B")
    unknown = tested.assign(n_test=tested["n_test"].where(tested.index > 0))  # numbers are then not integers
    with pytest.raises(
        ValueError, match=r"at 100 images with seed 1 were tested on .*, n_test 10000 and 100;"
    ):
        paired_runs(unknown, "A", "B")
    fewer = runs.assign(n_train=np.where(runs["label"] == "B", 90, 100))
    with pytest.raises(
        ValueError, match=r"trained on different images, n_train 100 and 90; .*data\.val_from"
    ):
        paired_runs(fewer, "A", "B")
    with pytest.raises(ValueError, match="got 'A' twice"):
        paired_runs(runs, "A", "A")
    apart = runs.assign(subset_seed=np.where(runs["label"] == "B", runs["seed"] + 100, runs["seed"]))
    assert len(paired_runs(apart, "A", "B")) == 0
    both_fold_sizes = apart["seed"] % 2 + 1000
    assert len(paired_runs(apart.assign(n_test=both_fold_sizes), "A", "B")) == 0
    independent = tested.assign(subset_seed=apart["subset_seed"])
    with pytest.raises(
        ValueError, match="'A' and 'B' at 100 images were tested on different images, n_test 10000 and 100"
    ):
        paired_runs(independent, "A", "B")
    with pytest.raises(ValueError, match="no run of 'A' has the same size, seed and subset as a run of 'B'"):
        paired_differences(apart, "A", "B")
