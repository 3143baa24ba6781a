"""One score per run from a table of evaluations."""

import numpy as np
import pandas as pd
import pytest

from vision.statistics import calibration_errors, mean_scores, reliability, with_score


def test_the_mean_is_over_the_same_changes_for_all_runs():
    rows = [(run, kind, level) for run in "abc" for kind in ("fog", "snow") for level in (1, 2)]
    table = pd.DataFrame(rows, columns=["folder", "kind", "level"]).assign(accuracy=np.arange(12) / 20)
    unchanged = pd.DataFrame({"folder": list("abc"), "kind": "unchanged", "level": 0, "accuracy": 0.99})
    scores = mean_scores(pd.concat([table[:-1], unchanged]), "accuracy")
    assert scores.to_dict() == pytest.approx({"a": (0 + 1 + 2 + 3) / 80, "b": (4 + 5 + 6 + 7) / 80})


def test_runs_without_a_score_are_left_out():
    records = pd.DataFrame({"folder": ["x", "y"], "label": "CNN", "train_size": 50, "seed": [0, 1]})
    kept = with_score(records, pd.Series({"y": 0.5, "z": 0.6}), "score")
    assert kept["folder"].tolist() == ["y"] and kept["score"].tolist() == [0.5]


def calibration_table() -> pd.DataFrame:
    rows = [
        ("a", "equal mass", 1, 30, 0.5, 0.4, 0),
        ("a", "equal mass", 2, 30, 0.9, 1.0, 0),
        ("b", "equal mass", 1, 30, 0.7, 0.6, 1),
        ("b", "equal mass", 2, 30, 0.9, 0.6, 1),
        ("a", "equal width", 9, 60, 0.7, 0.7, 0),
    ]
    columns = ["folder", "kind", "level", "images", "confidence", "accuracy", "seed"]
    return pd.DataFrame(rows, columns=columns).assign(label="CNN", train_size=100)


def test_calibration_errors_of_runs():
    errors = calibration_errors(calibration_table(), "equal mass")
    assert errors.to_dict() == pytest.approx({"a": 0.1, "b": 0.2})
    assert calibration_errors(calibration_table(), "equal width").to_dict() == pytest.approx({"a": 0.0})


def test_reliability_averages_the_bins_of_runs():
    bins = reliability(calibration_table())
    assert bins["confidence"].tolist() == pytest.approx([0.6, 0.9])
    assert bins["mean"].tolist() == pytest.approx([0.5, 0.8]) and bins["n"].tolist() == [2, 2]
    assert bins["low"][0] == 0 and bins["high"][1] == 1  # two runs that differ by 0.2 tell very little
