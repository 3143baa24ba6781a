"""Scaling laws: known laws are found again, the choice is by prediction, and the intervals cover."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from vision.report.wording.models import law_cell, other_laws
from vision.statistics import LAWS, scaling_fit
from vision.statistics.laws import fit_law, fit_many
from vision.statistics.resampling import wild_bootstrap

SIZES = (100, 200, 500, 1000, 2000, 5000, 10_000)
KINDS = ("alone", "shared", "tilted")
TRUTHS = {
    "power": (lambda n: 1.5 * n**-0.2, {"a": 1.5, "b": 0.2}),
    "floor": (lambda n: 3 * n**-0.5 + 0.1, {"a": 3, "b": 0.5, "c": 0.1}),
    "broken": (lambda n: n**-0.05 * (1 + n / 1000) ** -0.4, {"a": 1, "b": 0.05, "d": 0.4, "n0": 1000}),
}


def sweep(generator, error, *, sizes=SIZES, seeds=5, noise=0.02, kind="alone") -> pd.DataFrame:
    """Runs of a model whose error is error(n) but for noise of each run, and perhaps of the seed."""
    x = np.log(sizes)
    off = generator.normal(0, noise, (seeds, len(sizes)))
    along = generator.normal(0, noise, (seeds, 1))
    off += {"alone": 0.0, "shared": along, "tilted": along * (x - x.mean())}[kind]
    values = 1 - error(np.array(sizes, float)) * np.exp(off)
    rows = [("A", n, s, values[s, j]) for j, n in enumerate(sizes) for s in range(seeds)]
    return pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])


@pytest.mark.parametrize("law", TRUTHS)
def test_a_law_without_noise_is_found_again_and_predicts_the_largest_size(law):
    error, truth = TRUTHS[law]
    found = scaling_fit(sweep(np.random.default_rng(0), error, noise=0, seeds=1), "A")
    assert found.law == law and found.holdout_error[law] < 1e-3 and not found.low
    assert found.parameters == pytest.approx(truth, rel=1e-2)
    assert found.predict([300, 30_000]) == pytest.approx([error(300), error(30_000)], rel=1e-2)
    assert np.isnan(found.band([300])).all() and not found.high and found.runs == 1


@pytest.mark.parametrize(
    ("law", "seeds", "kind"),
    [("power", 3, "alone"), ("power", 5, "tilted"), ("floor", 5, "shared"), ("floor", 3, "tilted")],
)
@pytest.mark.slow
def test_intervals_cover_in_92_to_98_of_100_sweeps(law, seeds, kind):
    """Also where the sizes of a seed go up and down together, and where its whole curve is tilted."""
    error, truth = TRUTHS[law]
    generator = np.random.default_rng(seeds)
    sweeps = [sweep(generator, error, seeds=seeds, kind=kind) for _ in range(300)]
    fits = [scaling_fit(runs, "A", law=law, draws=400, seed=i) for i, runs in enumerate(sweeps)]
    assert 0.92 <= np.mean([fit.low["b"] <= truth["b"] <= fit.high["b"] for fit in fits]) <= 0.98


@pytest.mark.slow
def test_bands_cover_in_92_to_98_of_100_sweeps():
    generator = np.random.default_rng(2)
    error, sizes = TRUTHS["floor"][0], np.array([300.0, 10_000, 50_000])
    inside = []
    for i in range(450):
        runs = sweep(generator, error, kind=KINDS[i % 3])
        low, high = scaling_fit(runs, "A", law="floor", draws=300, seed=i).band(sizes)
        inside.append((low <= error(sizes)) & (error(sizes) <= high))
    assert (np.mean(inside, axis=0) >= 0.92).all() and (np.mean(inside, axis=0) <= 0.98).all()


def test_drawing_by_whole_seeds_is_students_t_for_what_is_linear():
    """Of any weights of the places: the mean of each seed's weighted values, its t-interval over seeds."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(4, 6)) + generator.normal(size=(4, 1))
    drawn = wild_bootstrap(values, 400_000, generator)
    for weights in (np.ones(6), np.arange(6) - 2.5):
        spread = np.std(values @ weights, ddof=1) / 2
        assert np.percentile(drawn @ weights, 97.5) == pytest.approx(3.182 * spread, rel=0.02)
    values[0, 2] = np.nan
    assert np.isfinite(wild_bootstrap(values, 10, generator)).all()
    with pytest.raises(ValueError, match=r"two runs or more in each column, got \[1, 1\]"):
        wild_bootstrap(np.ones((1, 2)), 10, generator)


@pytest.mark.parametrize("law", TRUTHS)
def test_many_fits_at_once_are_scipys_one_after_the_other(law):
    generator = np.random.default_rng(0)
    x, one = np.log(SIZES), LAWS[law]
    y = np.log([TRUTHS[law][0](n) for n in SIZES]) + generator.normal(0, 0.02, (40, len(SIZES)))
    start = fit_law(one, x, y.mean(axis=0))
    bounds = one.bounds(x)
    for values, again in zip(y, fit_many(one, x, y, start), strict=True):
        alone = optimize.least_squares(lambda p, v=values: one.log_error(x, p) - v, start, bounds=bounds)
        assert ((one.log_error(x, again) - values) ** 2).sum() <= 2 * alone.cost + 1e-6
        assert (again >= bounds[0]).all() and (again <= bounds[1]).all()


def test_the_slopes_of_the_laws_are_their_derivatives():
    x, p, step = np.log(SIZES), {"a": 0.3, "b": 0.4, "c": -2.0, "d": 0.5, "n0": 7.0}, 1e-6
    for law in LAWS.values():
        values = np.array([p[name] for name in law.parameters])
        for place, slope in enumerate(law.slopes(x, values)):
            more = values + step * (np.arange(len(values)) == place)
            less = values - step * (np.arange(len(values)) == place)
            numeric = (law.log_error(x, more) - law.log_error(x, less)) / (2 * step)
            assert slope == pytest.approx(numeric, abs=1e-8)


@pytest.mark.slow
def test_the_law_that_predicts_best_is_chosen_also_under_noise():
    generator = np.random.default_rng(1)
    for law, (error, _) in TRUTHS.items():
        chosen = [scaling_fit(sweep(generator, error), "A", draws=2).law for _ in range(20)]
        assert max(set(chosen), key=chosen.count) == law


def test_the_sentence_has_the_law_its_intervals_and_its_prediction():
    fit = scaling_fit(sweep(np.random.default_rng(0), TRUTHS["floor"][0]), "A")
    text = law_cell(fit)
    low, high = fit.low["b"], fit.high["b"]
    assert text.startswith("a n^-b + c: a = ") and f"b = {fit.parameters['b']:.3g} ({low:.3g} to" in text
    assert low < fit.parameters["b"] < high
    assert fit.holdout_error.keys() == {"power", "floor", "broken"} and fit.runs == 5
    assert other_laws(fit).startswith("power ") and "floor" not in other_laws(fit)
    bottom, top = fit.band([100, 10_000, 1e9])
    assert (bottom < fit.predict([100, 10_000, 1e9])).all() and (fit.predict([100, 10_000, 1e9]) < top).all()


def test_an_end_that_the_sizes_leave_open_is_infinite():
    """A power law has no floor and nowhere a break: 0 is in the interval of c, all sizes in that of n0."""
    runs = sweep(np.random.default_rng(0), TRUTHS["power"][0], noise=0.01)
    assert scaling_fit(runs, "A", law="floor").low["c"] == 0
    broken = scaling_fit(runs, "A", law="broken")
    assert (broken.low["n0"], broken.high["n0"]) == (0, np.inf)
    assert "n0 = " in law_cell(broken) and "to inf)" in law_cell(broken)


def test_where_no_law_predicts_the_largest_size_none_fits():
    """The error falls, stays and falls again, as where the budget grows: no law of three has two bends."""
    steps = dict(zip(SIZES, (0.9, 0.85, 0.6, 0.59, 0.58, 0.57, 0.25), strict=True))
    for seeds in (1, 5):
        runs = sweep(np.random.default_rng(0), np.vectorize(steps.get), noise=0.005, seeds=seeds)
        fit = scaling_fit(runs, "A")
        assert not fit.fits and min(fit.holdout_error.values()) > 0.05
        text = law_cell(fit, (22, 2110))
        assert text.startswith("no law fits: the best misses the error at 10,000 images by ")
        assert text.endswith("%; the budget grows with n, from 22 to 2,110 steps")
    assert law_cell(fit, (300, 300)).endswith("%")


@pytest.mark.parametrize(("law", "least"), [("power", 0.9), ("floor", 0.9), ("broken", 0.8)])
@pytest.mark.slow
def test_a_true_law_fits_in_most_sweeps(law, least):
    generator = np.random.default_rng(3)
    sweeps = [sweep(generator, TRUTHS[law][0]) for _ in range(60)]
    assert np.mean([scaling_fit(runs, "A", draws=100).fits for runs in sweeps]) >= least


def test_too_few_sizes_are_an_error():
    few = sweep(np.random.default_rng(0), TRUTHS["power"][0], sizes=(100, 1000))
    with pytest.raises(ValueError, match=r"needs 3 training-set sizes or more, got 2 of 'A': \[100, 1000\]"):
        scaling_fit(few, "A")
    three = sweep(np.random.default_rng(0), TRUTHS["power"][0], sizes=(100, 1000, 5000))
    assert scaling_fit(three, "A").law == "power" and set(scaling_fit(three, "A").holdout_error) == {"power"}
    assert "floor" not in scaling_fit(three, "A", law="floor").holdout_error, "too few sizes to test it"
    with pytest.raises(ValueError, match="needs 4 training-set sizes or more, got 3"):
        scaling_fit(three, "A", law="broken")
    with pytest.raises(ValueError, match="law must be one of power, floor, broken, got 'cubic'"):
        scaling_fit(three, "A", law="cubic")
    with pytest.raises(ValueError, match="no runs of B; the records have runs of A"):
        scaling_fit(three, "B")


def test_runs_without_errors_have_no_law_and_equal_errors_no_slope():
    """All test images of digits are soon right; the log of no error is not a point of a law."""
    rows = [
        ("A", size, seed, error) for size, error in ((100, 0.2), (200, 0.1), (400, 0.0)) for seed in (0, 1)
    ]
    runs = pd.DataFrame(rows, columns=["label", "train_size", "seed", "error"])
    runs = runs.assign(test_accuracy=1 - runs["error"])
    with pytest.raises(ValueError, match="a law needs errors, but no run of 'A' makes one at 400 images"):
        scaling_fit(runs, "A")
    one_error = runs.assign(test_accuracy=runs["test_accuracy"].where(runs.index != 5, 0.999))
    assert scaling_fit(one_error, "A").sizes == (100, 200, 400)
    fit = scaling_fit(runs.assign(test_accuracy=0.1), "A")
    assert fit.values_text == "a = 0.9 (0.9 to 0.9), b = 0 (0 to 0)"
