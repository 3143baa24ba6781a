"""Crossovers of two models, on sweeps of known truth: found in their interval, none where there are none."""

import numpy as np
import pandas as pd
import pytest

from vision.analysis import crossover

SIZES = (100, 200, 500, 1000, 2000, 5000, 10_000)


def sweep(generator, *, first, second, seeds=5, noise=0.03) -> pd.DataFrame:
    """Runs of A and B whose errors are first(n) and second(n) but for noise, half of it the subset's."""
    rows = []
    for size in SIZES:
        for seed in range(seeds):
            subset = generator.normal(0, noise)
            for label, error in (("A", first), ("B", second)):
                value = error(size) * np.exp(subset + generator.normal(0, noise))
                rows.append((label, size, seed, seed, 1 - value))
    return pd.DataFrame(rows, columns=["label", "train_size", "seed", "subset_seed", "test_accuracy"])


def power(scale: float, exponent: float):
    return lambda size: scale * size**-exponent


# The last is so noisy that most crossings stay in doubt; the interval of the others is then the wider one.
@pytest.mark.parametrize(
    ("truth", "noise", "most"), [(800, 0.03, 0.98), (2500, 0.03, 0.98), (800, 0.06, 1.0)]
)
def test_the_interval_covers_the_crossing_in_92_to_98_of_100_sweeps(truth, noise, most):
    generator = np.random.default_rng(truth)
    second = power(0.6 * truth**0.08, 0.20)
    found = [
        crossover(sweep(generator, first=power(0.6, 0.12), second=second, noise=noise), "A", "B", draws=1000)
        for _ in range(300)
    ]
    crossed = [one for one in found if one.answer == "crosses"]
    assert len(crossed) > 80 and all(one.crossings[0].leader == "A" for one in crossed)
    covered = [one.crossings[0].low <= truth <= one.crossings[0].high for one in crossed]
    assert 0.92 <= np.mean(covered) <= most


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("gap", [1.0, 1.02, 1.3])
def test_where_there_is_no_crossing_none_is_said_in_95_of_100_sweeps(seeds, gap):
    generator = np.random.default_rng(seeds)
    first, second = power(1.0, 0.12), power(gap, 0.12)
    found = [
        crossover(sweep(generator, first=first, second=second, seeds=seeds), "A", "B", draws=50)
        for _ in range(200)
    ]
    assert np.mean([one.answer == "crosses" for one in found]) <= 0.05
    assert all("B" not in one.leaders for one in found) or gap < 1.1


def test_several_crossings_are_all_reported_in_their_order():
    def second(size):
        return 0.5 * np.exp(0.4 * np.cos(2 * np.pi * np.log(size / 100) / np.log(100)))

    runs = sweep(np.random.default_rng(0), first=lambda size: 0.5, second=second, noise=0.02)
    found = crossover(runs, "A", "B")
    assert [one.leader for one in found.crossings] == ["A", "B"]
    for one, truth in zip(found.crossings, (100 * 100**0.25, 100 * 100**0.75), strict=True):
        assert one.low < one.place < one.high and abs(np.log(one.place / truth)) < 0.3
    assert str(found).startswith("A ahead up to about 3") and "; then B ahead up to about 3" in str(found)


def test_answers_in_words():
    generator = np.random.default_rng(0)
    ahead = crossover(sweep(generator, first=power(0.4, 0.1), second=power(0.8, 0.1), noise=0.01), "A", "B")
    assert str(ahead) == "A ahead at every size from 100 to 10,000 images (n = 5 pairs a size)"
    assert ahead.answer == "ahead" and ahead.below_largest < 0.05 and min(ahead.gap) > 0
    same = crossover(sweep(generator, first=power(0.4, 0.1), second=power(0.4, 0.1), seeds=2), "A", "B")
    assert same.answer == "open" and "cannot be told from 100 to 10,000 images (n = 2" in str(same)
    meets = crossover(
        sweep(generator, first=power(0.4, 0.1), second=lambda n: 0.4 * n**-0.1 * max(1, 2 - n / 5000), noise=0.02),
        "A",
        "B",
    )
    assert meets.answer == "not reached" and "a crossing is not reached by 10,000" in str(meets)


def test_what_cannot_be_compared_is_refused():
    runs = sweep(np.random.default_rng(0), first=power(0.4, 0.1), second=power(0.4, 0.1), seeds=1)
    with pytest.raises(ValueError, match=r"two pairs of runs of 'A' and 'B'.*run more seeds"):
        crossover(runs, "A", "B")
    with pytest.raises(ValueError, match="no runs of C; there are A, B"):
        crossover(runs, "A", "C")
