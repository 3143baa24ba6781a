"""Runs with the same seeds are pairs; other runs are independent samples, tested by Welch's test."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vision.report.wording.lead import pair_answer
from vision.report.wording.short_answer import short_answer
from vision.statistics import compare_models


def independent(generator, gap: float, *, counts=(4, 7), noise=(0.01, 0.03)) -> pd.DataFrame:
    """Runs of A and B as in CSV files from elsewhere: other seeds, other counts, other noise."""
    rows = [
        (label, size, 100 * place + seed, 0.5 + lead + generator.normal(0, spread))
        for place, (label, lead, n, spread) in enumerate(zip("AB", (gap, 0), counts, noise, strict=True))
        for size in (100, 200, 500)
        for seed in range(n)
    ]
    return pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])


def test_each_size_is_welchs_test():
    runs = independent(np.random.default_rng(0), 0.05)
    found = compare_models(runs, "A", "B")
    assert not found.paired and found.by_size[0].runs == (4, 7)
    for one in found.by_size:
        at_size = runs[runs["train_size"] == one.train_size]
        samples = [at_size.loc[at_size["label"] == label, "test_accuracy"] for label in "AB"]
        test = stats.ttest_ind(*samples, equal_var=False)
        interval = test.confidence_interval(0.95)
        assert one.p == pytest.approx(test.pvalue)
        assert one.lead == pytest.approx((samples[0].mean() - samples[1].mean(), interval.low, interval.high))
    said = pair_answer(found)
    assert "no seeds in common, so their runs are compared as independent (Welch's t test)" in said
    assert said.endswith("Each size has at least 4 runs of each.") and "A is ahead" in said


@pytest.mark.slow
def test_independent_equal_models_are_told_apart_in_five_percent():
    generator = np.random.default_rng(1)
    found = [compare_models(independent(generator, 0.0), "A", "B", draws=10) for _ in range(200)]
    assert np.mean([one.leader is not None for one in found]) <= 0.07
    assert np.mean([any(one.leaders) for one in found]) <= 0.07


def test_models_without_a_difference_are_identical():
    rows = [
        (label, size, seed, 0.5 + 0.01 * seed) for label in "AB" for size in (100, 200) for seed in range(3)
    ]
    runs = pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])
    assert pair_answer(compare_models(runs, "A", "B")).startswith(
        "A against B: A and B are identical in accuracy: no pair of runs differs."
    )
    assert short_answer(compare_models(runs, "A", "B")) == [
        "A and B are identical in accuracy: no pair of runs differs."
    ]
    one_image = runs["label"].eq("B") & runs["seed"].eq(0) & runs["train_size"].eq(100)
    nearly = runs.assign(test_accuracy=runs["test_accuracy"] + 0.0001 * one_image)
    assert "identical in accuracy: no pair of runs differs by more than 0.01 points." in pair_answer(
        compare_models(nearly, "A", "B")
    )
    other = runs.assign(test_accuracy=runs["test_accuracy"] + 0.002 * one_image)
    assert compare_models(other, "A", "B").answer == "open"


def test_runs_without_a_partner_are_counted_and_named():
    """A has seeds 0 to 4 and B seeds 3 to 7, so two pairs of each size are compared."""
    generator = np.random.default_rng(0)
    rows = [
        (label, size, seed, 0.5 + generator.normal(0, 0.01))
        for label, first in (("A", 0), ("B", 3))
        for size in (100, 200, 500)
        for seed in range(first, first + 5)
    ]
    runs = pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])
    found = compare_models(runs, "A", "B")
    assert found.paired and found.unmatched == (9, 9) and found.by_size[0].runs == (2, 2)
    assert pair_answer(found).endswith(
        "Runs without a partner of the same seed and subset are not compared: 9 of A and 9 of B."
    )
    more_seeds_of_one = compare_models(runs.query("label == 'A' or seed < 5"), "A", "B")
    assert more_seeds_of_one.unmatched == (9, 0)
    assert pair_answer(more_seeds_of_one).endswith("are not compared: 9 of A.")
    matched = compare_models(runs.query("seed in (3, 4)"), "A", "B")
    assert matched.unmatched == (0, 0) and pair_answer(matched).endswith("at least 2 pairs of runs.")
    assert matched.average == found.average
    assert compare_models(independent(generator, 0.05), "A", "B").unmatched == (0, 0)
