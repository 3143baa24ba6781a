"""Predictions image by image: exact tests, intervals that cover, and disagreement with its yardstick."""

import time
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom, norm

from vision.statistics import class_accuracy, compare_predictions, confusion_matrix


def right_and_wrong(right: np.ndarray) -> np.ndarray:
    """bool -> classes for labels that are all 0."""
    return 1 - right.astype(int)


def simulate(generator, *, runs: int, images: int, spread: float):
    """Two models on images of different difficulty, the runs of each apart by `spread`; labels all 0."""
    hard = generator.normal(0, 1, images)
    models = []
    for gain in (0.2, 0.0):
        able = hard + gain + generator.normal(0, 0.5, images) + generator.normal(0, spread, (runs, 1))
        models.append(right_and_wrong(able + generator.normal(0, 0.5, (runs, images)) > 0))
    return models[0], models[1], np.zeros(images, int)


def truth(spread: float) -> float:
    return float(norm.cdf(0.2 / np.sqrt(1 + 0.25 + 0.25 + spread**2)) - 0.5)


@pytest.mark.parametrize(("runs", "spread"), [(1, 0.0), (5, 0.0), (5, 0.05), (5, 0.5), (3, 0.1)])
@pytest.mark.slow
def test_the_interval_covers_in_92_to_98_of_100_comparisons(runs, spread):
    generator = np.random.default_rng(runs)
    found = [
        compare_predictions(*simulate(generator, runs=runs, images=500, spread=spread), draws=400, seed=seed)
        for seed in range(300)
    ]
    assert 0.92 <= np.mean([one.low <= truth(spread) <= one.high for one in found]) <= 0.98


def test_more_runs_do_not_count_as_more_images():
    """Five copies of one run count as one, and runs that differ widen the interval."""
    first, second, labels = simulate(np.random.default_rng(0), runs=1, images=2000, spread=0)
    one = compare_predictions(first, second, labels)
    five = compare_predictions(np.repeat(first, 5, axis=0), np.repeat(second, 5, axis=0), labels)
    assert (five.low, five.high) == pytest.approx((one.low, one.high), abs=0.003)
    apart = simulate(np.random.default_rng(0), runs=5, images=2000, spread=0.5)
    wide = compare_predictions(*apart)
    assert wide.high - wide.low > 2 * (one.high - one.low)


def test_seeds_on_one_subset_are_one_run_where_there_are_several_subsets():
    """Three subsets that matter much, three seeds each that matter little: three runs, not nine."""
    first, second, labels = simulate(np.random.default_rng(0), runs=3, images=2000, spread=0.5)
    one = compare_predictions(first, second, labels)
    three = (np.repeat(first, 3, axis=0), np.repeat(second, 3, axis=0), labels)
    nine = compare_predictions(*three, subsets=np.repeat([7, 8, 9], 3))
    assert (nine.low, nine.difference, nine.high) == pytest.approx(
        (one.low, one.difference, one.high), abs=1e-9
    )
    assert nine.runs == 9 and len(nine.p) == 9
    alone = compare_predictions(*three, subsets=[7] * 9)
    assert alone == compare_predictions(*three) and alone.high - alone.low < (nine.high - nine.low) / 2
    with pytest.raises(ValueError, match="subsets must name one for each of 9 runs, got 3"):
        compare_predictions(*three, subsets=[7, 8, 9])


def test_mcnemar_is_the_binomial_test_of_those_that_only_one_gets_right():
    first = right_and_wrong(np.array([1, 1, 1, 1, 1, 1, 0, 0, 1, 0], bool))
    second = right_and_wrong(np.array([0, 0, 0, 0, 0, 1, 1, 0, 1, 0], bool))
    found = compare_predictions(first, second, np.zeros(10, int))
    assert (found.only_first, found.only_second, found.difference) == (5, 1, pytest.approx(0.4))
    assert found.p == (pytest.approx(2 * binom.cdf(1, 6, 0.5)),) and (found.runs, found.images) == (1, 10)
    same = compare_predictions(np.stack((first, first)), np.stack((first, second)), np.zeros(10, int))
    assert same.p == (1.0, found.p[0]) and same.only_first == 2.5


@pytest.mark.slow
def test_mcnemar_rejects_equal_models_in_5_of_100():
    generator = np.random.default_rng(3)
    shared = generator.random((2000, 300)) < 0.6
    models = [right_and_wrong(shared ^ (generator.random(shared.shape) < 0.1)) for _ in range(2)]
    labels = np.zeros(300, int)
    p = [compare_predictions(a, b, labels, draws=2).p[0] for a, b in zip(*models, strict=True)]
    assert 0.02 < (np.array(p) < 0.05).mean() < 0.05  # an exact test keeps below its level


def test_disagreement_and_its_yardstick_are_shares_of_images():
    generator = np.random.default_rng(4)
    first, second = generator.integers(0, 3, (2, 4, 50))
    found = compare_predictions(first, second, generator.integers(0, 3, 50))
    assert found.disagreement == pytest.approx(
        np.mean([(a != b).mean() for a, b in zip(first, second, strict=True)])
    )
    for runs, share in zip((first, second), found.seed_disagreement, strict=True):
        assert share == pytest.approx(np.mean([(a != b).mean() for a, b in combinations(runs, 2)]))
    alone = compare_predictions(first[0], second[0], np.zeros(50, int))
    assert np.isnan(alone.seed_disagreement).all()
    swapped = compare_predictions(second, first, np.zeros(50, int))
    assert swapped.difference == -compare_predictions(first, second, np.zeros(50, int)).difference


def test_the_confusion_matrix_counts_and_its_diagonal_is_the_accuracy():
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 4, 200).astype(np.uint8)
    predictions = generator.integers(0, 5, (3, 200)).astype(np.uint8)
    counts = confusion_matrix(predictions, labels, 20)
    assert counts.shape == (20, 20) and counts.sum() == 600
    for true, given in ((0, 0), (3, 4), (2, 1)):
        assert counts[true, given] == ((labels == true) & (predictions == given)).sum()
    shares = class_accuracy(predictions, labels, 20)
    assert shares[:4] == pytest.approx([(predictions[:, labels == k] == k).mean() for k in range(4)])
    assert np.isnan(shares[4:]).all()
    assert (confusion_matrix(predictions[0], labels, 5) == confusion_matrix(predictions[:1], labels, 5)).all()


def test_ten_thousand_images_of_five_runs_take_no_time():
    first, second, labels = simulate(np.random.default_rng(6), runs=5, images=10_000, spread=0.1)
    begun = time.process_time()
    compare_predictions(first.astype(np.uint8), second.astype(np.uint8), labels.astype(np.uint8))
    confusion_matrix(first, labels, 10)
    assert time.process_time() - begun < 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"first \(2, 5\), second \(3, 5\), labels \(5,\)"):
        compare_predictions(np.zeros((2, 5), int), np.zeros((3, 5), int), np.zeros(5, int))
    with pytest.raises(ValueError, match=r"second must be integers .*got float64 \(5,\)"):
        compare_predictions(np.zeros(5, int), np.zeros(5), np.zeros(5, int))
    with pytest.raises(ValueError, match=r"classes must be 0 to 2 for classes=3, got 0 to 7"):
        confusion_matrix(np.array([0, 7]), np.array([0, 1]), 3)
    with pytest.raises(ValueError, match=r"of the same images, got \(1, 2\), \(3,\)"):
        confusion_matrix(np.array([0, 1]), np.array([0, 1, 2]), 3)
