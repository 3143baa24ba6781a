"""Scores of single runs, and whether they are all or nothing."""

import numpy as np
import pandas as pd
import pytest
from known_records import records

from vision.statistics import all_or_nothing, run_scores


def test_there_is_one_score_a_run_along_any_axes():
    table = records().assign(**{"training.lr": 0.1})
    scores = run_scores(table, x="training.lr", line="train_size", panel="label", metric="test_accuracy")
    assert list(scores) == ["label", "train_size", "training.lr", "score"] and len(scores) == len(table)
    np.testing.assert_allclose(scores["score"], table["test_accuracy"])
    table.loc[0, "test_accuracy"] = np.nan
    assert len(run_scores(table)) == len(table) - 1
    with pytest.raises(ValueError, match=r"no column training\.wd"):
        run_scores(table, x="training.wd")


def test_runs_are_all_or_nothing_only_where_equal_settings_end_at_both_ends():
    def scores(values):
        rows = [("a", cell, value) for cell, runs in enumerate(values) for value in runs]
        return pd.DataFrame(rows, columns=["label", "train_size", "score"])

    assert all_or_nothing(scores([[1.0, 1.0, 1.0], [1.0, 0.5, 1.0], [0.5, 0.51, 0.49]]))
    # Each setting succeeds or fails as a whole: its mean describes it.
    assert not all_or_nothing(scores([[1.0, 1.0, 1.0], [0.5, 0.51, 0.49]]))
    # One run that diverged, among runs of all heights.
    assert not all_or_nothing(scores([[0.2, 0.3], [0.4, 0.45], [0.5, 0.55], [0.7, 0.1]]))
    assert not all_or_nothing(scores([[0.30, 0.31], [0.42, 0.30]]))
    assert not all_or_nothing(run_scores(records()))
