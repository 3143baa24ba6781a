"""Who is ahead at each size: Tukey's test on seeds as blocks, against scipy's and by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vision.report.wording.models import best_model
from vision.statistics import ranking


def sweep(generator, means: dict[str, float], *, seeds=3, size=100, noise=0.01, shared=0.05) -> pd.DataFrame:
    """Runs at one size; what a seed does to all models alike is five times what it does to each."""
    rows = []
    for seed in range(seeds):
        subset = generator.normal(0, shared)
        rows += [(m, size, seed, a + subset + generator.normal(0, noise)) for m, a in means.items()]
    return pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])


def test_what_all_models_share_at_a_seed_does_not_hide_who_is_ahead():
    runs = sweep(np.random.default_rng(0), {"A": 0.5, "B": 0.45, "C": 0.498, "D": 0.40})
    (row,) = ranking(runs).to_dict("records")
    assert row["best"] in ("A", "C") and set(row["not_significantly_behind"]) == {"A", "C"} - {row["best"]}
    assert (
        row["models"] == 4
        and row["n"] == 3
        and row["mean"] == pytest.approx(runs.groupby("label")["test_accuracy"].mean().max())
    )


def test_of_two_models_it_is_the_paired_t_test():
    generator = np.random.default_rng(1)
    for _ in range(20):
        runs = sweep(generator, {"A": 0.5, "B": 0.49}, seeds=4)
        one, two = (runs[runs["label"] == label]["test_accuracy"].to_numpy() for label in "AB")
        (row,) = ranking(runs).to_dict("records")
        assert (row["not_significantly_behind"] == ()) == (stats.ttest_rel(one, two).pvalue < 0.05)


def test_the_least_difference_is_scipys_tukey_where_seeds_share_nothing():
    generator = np.random.default_rng(2)
    runs = sweep(generator, dict.fromkeys("ABCD", 0.5), seeds=200, shared=0.0)
    groups = [runs[runs["label"] == label]["test_accuracy"] for label in "ABCD"]
    interval = stats.tukey_hsd(*groups).confidence_interval()
    half = (np.asarray(interval.high)[0, 1] - np.asarray(interval.low)[0, 1]) / 2
    (row,) = ranking(runs).to_dict("records")
    assert row["hsd"] == pytest.approx(half, rel=0.02)


@pytest.mark.parametrize("models", [2, 6])
@pytest.mark.slow
def test_equal_models_differ_significantly_in_at_most_5_of_100_sweeps(models):
    generator = np.random.default_rng(models)
    means = {f"m{i}": 0.5 for i in range(models)}
    wrong = [
        len(ranking(sweep(generator, means))["not_significantly_behind"][0]) < models - 1 for _ in range(300)
    ]
    assert np.mean(wrong) <= 0.07


@pytest.mark.slow
def test_a_model_with_more_spread_is_not_called_behind():
    """Tukey's test, which takes one spread for all, is wrong in 13 to 14 of 100 here."""
    generator, wrong = np.random.default_rng(0), []
    for _ in range(300):
        runs = sweep(generator, {f"m{i}": 0.5 for i in range(6)})
        runs.loc[runs["label"] == "m0", "test_accuracy"] += generator.normal(0, 0.04, 3)
        wrong.append(len(ranking(runs)["not_significantly_behind"][0]) < 5)
    assert np.mean(wrong) <= 0.10


def test_zero_variance_is_not_evidence():
    rows = [(m, 100, s, a) for m, a in (("A", 0.51), ("B", 0.50)) for s in (0, 1)]
    (row,) = ranking(pd.DataFrame(rows, columns=["label", "train_size", "seed", "test_accuracy"])).to_dict(
        "records"
    )
    assert row["not_significantly_behind"] == ("B",) and np.isnan(row["hsd"])


def test_a_seed_that_not_all_models_have_does_not_count():
    runs = sweep(np.random.default_rng(3), {"A": 0.6, "B": 0.4}, seeds=3)
    part = runs[~((runs["label"] == "B") & (runs["seed"] > 0))]
    (row,) = ranking(part).to_dict("records")
    assert row["n"] == 1 and row["not_significantly_behind"] == ("B",) and np.isnan(row["hsd"])


def test_a_row_a_size_and_one_model_alone():
    generator = np.random.default_rng(4)
    runs = pd.concat([sweep(generator, {"A": 0.6}, size=n) for n in (100, 10)])
    table = ranking(runs)
    assert table["train_size"].tolist() == [10, 100] and table["not_significantly_behind"].tolist() == [
        (),
        (),
    ]
    with pytest.raises(ValueError, match="missing are seed"):
        ranking(runs.drop(columns="seed"))


def test_models_on_different_test_images_are_not_tested_against_each_other():
    runs = sweep(np.random.default_rng(0), {"A": 0.5, "B": 0.4})
    same, other = runs.assign(n_test=1000), runs.assign(n_test=np.where(runs["label"] == "A", 1000, 2000))
    assert ranking(same).iloc[0]["n"] == 3 and ranking(same).iloc[0]["not_significantly_behind"] == ()
    (row,) = ranking(other).to_dict("records")
    assert row["best"] == "A" and row["n"] == 0 and np.isnan(row["hsd"])
    assert "no seed has the same images for all models" in " ".join(best_model(row, models=2))
