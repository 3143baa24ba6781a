"""What an inductive bias is worth in images: found within its interval, and never beyond the curve."""

import numpy as np
import pandas as pd
import pytest

from vision.statistics import data_equivalence
from vision.statistics.data_equivalence import _first_reach

SIZES = (100, 200, 500, 1000, 2000, 5000, 10_000)


def sweep(generator, errors, *, seeds=5, noise=0.03, sizes=SIZES) -> pd.DataFrame:
    """Runs of models by their errors of n: noise of each run, of the subset and of the seed."""
    seed_noise = generator.normal(0, noise, seeds)
    rows = []
    for size in sizes:
        subset = seed_noise + generator.normal(0, noise, seeds)
        for label, error in errors.items():
            off = subset + generator.normal(0, noise, seeds)
            rows += [(label, size, s, 1 - error(size) * np.exp(off[s])) for s in range(seeds)]
    return pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])


ERRORS = {"CNN": lambda n: 2.5 * n**-0.35, "ViT": lambda n: 2 * n**-0.25}


def needed(size):
    """Images with which the CNN is as good as the ViT is with `size`."""
    return (ERRORS["ViT"](size) / 2.5) ** (-1 / 0.35)


@pytest.mark.slow
def test_the_interval_covers_in_92_to_98_of_100_sweeps():
    seeds, generator = 3, np.random.default_rng(3)
    inside = []
    for i in range(400):
        found = data_equivalence(sweep(generator, ERRORS, seeds=seeds), "CNN", "ViT", draws=500, seed=i)
        truth = needed(found["train_size"])
        inside.append(((found["low"] <= truth) & (truth <= found["high"]))[truth > 150])
    assert np.asarray(inside).shape[1] == 5
    assert (np.mean(inside, axis=0) >= 0.92).all() and (np.mean(inside, axis=0) <= 0.98).all()


def test_a_flat_curve_has_no_data_equivalence():
    rows = [(m, n, s, 0.1) for m in ("CNN", "ViT") for n in (50, 1000) for s in (0, 1)]
    runs = pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])
    found = data_equivalence(runs, "CNN", "ViT")
    assert set(found["state"]) == {"flat"} and found[["images", "worth"]].isna().all(axis=None)
    assert (found["low"] == 0).all() and np.isinf(found["high"]).all()


def test_it_is_exact_without_noise_and_bounded_beyond_the_curve():
    runs = sweep(np.random.default_rng(0), ERRORS, noise=0)
    found = data_equivalence(runs, "CNN", "ViT").set_index("train_size")
    assert list(found) == ["images", "low", "high", "worth", "state"]
    known = found[found["state"] == "inside"]
    assert known["images"].to_numpy() == pytest.approx(needed(known.index.to_numpy()), rel=1e-5)
    assert known["worth"].to_numpy() == pytest.approx(known.index / known["images"])
    small = found.to_dict("index")[100]
    assert needed(100) < 100 and small["state"] == "below" and np.isnan(small["images"])
    assert (small["low"], small["high"]) == (0, 100)
    back = data_equivalence(runs, "ViT", "CNN").set_index("train_size").to_dict("index")[10_000]
    assert back["state"] == "above" and np.isnan(back["worth"])
    assert (back["low"], back["high"]) == (10_000, np.inf)


def test_an_end_that_the_curve_does_not_bound_is_infinite():
    errors = {"CNN": ERRORS["CNN"], "as good": lambda n: 1.01 * ERRORS["CNN"](n)}
    runs = sweep(np.random.default_rng(0), errors, noise=0.05)
    last = data_equivalence(runs, "CNN", "as good").iloc[-1]
    assert last["low"] < 10_000 and last["high"] == np.inf


def test_where_a_curve_rises_its_smallest_error_so_far_counts():
    bump = {100: 0.6, 200: 0.4, 500: 0.5, 1000: 0.3}
    rows = [("CNN", n, s, 1 - error) for n, error in bump.items() for s in (0, 1)]
    rows += [("ViT", n, s, 1 - error) for n, error in ((200, 0.5), (1000, 0.35)) for s in (0, 1)]
    runs = pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])
    found = data_equivalence(runs, "CNN", "ViT")
    assert 100 < found["images"][0] < 200, "first reached on the way to 0.4"
    assert 500 < found["images"][1] < 1000, "0.35 is reached after the bump"


def test_first_reach_is_exact_along_straight_lines():
    grid = np.array([0.0, 1.0, 2.0, 3.0])
    paths = np.array([[3.0, 1.0, 2.0, 0.0]])
    wanted = np.array([[4.0, 2.0, 1.0, 0.5, -1.0]])
    assert _first_reach(grid, paths, wanted)[0] == pytest.approx([-np.inf, 0.5, 1.0, 2.5, np.inf])


def test_one_run_a_size_has_no_interval_and_one_size_no_curve():
    runs = sweep(np.random.default_rng(0), ERRORS, seeds=1)
    found = data_equivalence(runs, "CNN", "ViT")
    assert found[["low", "high"]].isna().all(axis=None) and found["images"].notna().any()
    with pytest.raises(ValueError, match=r"'CNN' needs two training-set sizes or more, got \[100\]"):
        data_equivalence(runs[(runs["train_size"] == 100) | (runs["label"] == "ViT")], "CNN", "ViT")
    with pytest.raises(ValueError, match="got 'CNN' twice"):
        data_equivalence(runs, "CNN", "CNN")
