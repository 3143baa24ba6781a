"""Centres and their intervals: by hand, and by how often they cover."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vision.statistics import accuracy_curves, interval_of
from vision.statistics.intervals import iqm


def curve_of(values: list[float], **options) -> pd.Series:
    runs = pd.DataFrame({"seed": range(len(values)), "test_accuracy": values})
    return accuracy_curves(runs.assign(data="digits", label="CNN", train_size=50), **options).iloc[0]


def test_iqm_is_the_mean_of_the_middle_half():
    assert iqm(np.arange(8.0) ** 2) == np.mean([4, 9, 16, 25])
    assert iqm([1.0, 2.0, 60.0]) == 21.0  # too few to leave one out
    assert iqm([0.0, 1.0, 2.0, 3.0, 100.0]) == 2.0


def test_curves_have_the_three_centres_and_the_interval_of_the_chosen_one():
    values = [0.1, 0.5, 0.52, 0.54, 0.56, 0.9, 0.57, 0.58]
    tables = {
        (centre, kind): curve_of(values, centre=centre, interval=kind)
        for centre, kind in (("mean", "t"), ("mean", "bca"), ("median", "bca"), ("iqm", "bca"))
    }
    names = ["data", "label", "train_size", "n", "mean", "median", "iqm", "std", "low", "high"]
    for (centre, kind), row in tables.items():
        assert list(row.index) == names
        assert (row["mean"], row["median"]) == pytest.approx((np.mean(values), np.median(values)))
        assert row["iqm"] == pytest.approx(np.mean([0.52, 0.54, 0.56, 0.57]))
        assert (row["low"], row["high"]) == pytest.approx(interval_of(values, centre=centre, kind=kind))
    # The two far runs make the mean uncertain, and hardly the median.
    widths = {key: row["high"] - row["low"] for key, row in tables.items()}
    assert widths["median", "bca"] < widths["mean", "bca"] / 2


def test_too_few_or_equal_runs():
    for kind in ("t", "bca"):
        assert np.isnan(interval_of([0.7], kind=kind)).all()
        assert interval_of([0.7, 0.7, 0.7], kind=kind) == (0.7, 0.7)
    assert np.isnan(interval_of([0.6, 0.7, 0.7], kind="bca")).all()
    assert np.isfinite(interval_of([0.6, 0.7], kind="t")).all()


def test_bca_agrees_with_students_t_where_runs_are_many_and_normal():
    values = stats.norm.ppf((np.arange(200) + 0.5) / 200)
    assert interval_of(values, kind="bca") == pytest.approx(interval_of(values, kind="t"), abs=0.02)


@pytest.mark.parametrize("centre", ["mean", "median", "iqm"])
@pytest.mark.slow
def test_bca_covers_with_thirty_runs_but_not_with_three(centre):
    generator = np.random.default_rng(1)

    def coverage(runs: int) -> float:
        sets = generator.normal(size=(600, runs))
        ends = [interval_of(values, centre=centre, kind="bca", draws=600) for values in sets]
        return float(np.mean([low <= 0 <= high for low, high in ends]))

    assert 0.92 <= coverage(30) <= 0.98
    assert coverage(3) < 0.85


def test_what_there_is_not_is_refused():
    with pytest.raises(ValueError, match="centre must be one of mean, median, iqm, got 'mode'"):
        interval_of([0.1, 0.2], centre="mode")
    with pytest.raises(ValueError, match="interval must be one of t, bca, got 'z'"):
        curve_of([0.1, 0.2], interval="z")
    with pytest.raises(ValueError, match="'t' is for the mean; use interval 'bca' for centre 'iqm'"):
        curve_of([0.1, 0.2], centre="iqm")
