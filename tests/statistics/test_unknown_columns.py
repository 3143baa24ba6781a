"""A column that varies at one model and size is refused as a setting, or named; never averaged."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from known_records import records
from pages import content

from vision import results
from vision.cli import main
from vision.results.evaluations import EVALUATIONS
from vision.statistics import accuracy_curves, compare_models
from vision.statistics.unknown_columns import unknown_settings, unused_columns

PUBLISHED = Path(__file__).parents[2] / "outputs" / "published"


def with_column(name: str, *values: object) -> pd.DataFrame:
    """Return runs with three seeds at each point, whose values of the column are these three."""
    table = records()
    return table.assign(**{name: pd.Series([values[seed] for seed in table["seed"]], dtype=None)})


@pytest.mark.parametrize("values", [("sgd", "sgd", "adam"), (0.1, 0.01, 0.1)])
def test_a_value_that_runs_share_while_others_differ_is_a_setting(values):
    table = with_column("optimizer", *values)
    assert unknown_settings(table) == ["optimizer"] and not unused_columns(table)
    refused = r"CNN differ in optimizer \(.*\), which is not a column of a record \(remove optimizer if it"
    for call in (lambda: accuracy_curves(table), lambda: compare_models(table, "CNN", "ViT")):
        with pytest.raises(ValueError, match=refused):
            call()
    curves = accuracy_curves(table, line="label,optimizer")
    assert curves["n"].max() == 2, "as an axis it separates the runs"


def test_runs_with_the_same_seed_that_differ_in_a_column_are_refused():
    table = pd.concat([records().assign(lr=lr) for lr in (0.1, 0.01)])
    with pytest.raises(ValueError, match=r"CNN differ in lr \(0.01, 0.1\)"):
        accuracy_curves(table)


@pytest.mark.parametrize("values", [("a", "b", "c"), (1.31, 1.45, 1.28), (0, 0, 1)])
def test_a_result_or_the_number_of_a_fold_is_named_and_not_refused(values, tmp_path):
    table = with_column("column", *values)
    if isinstance(values[0], float):
        table["column"] += np.arange(len(table))
    assert unused_columns(table) == ["column"] and not unknown_settings(table)
    assert (accuracy_curves(table)["n"] == 3).all()
    assert "Columns not used" in dict(content(tmp_path, table).methods)


def test_the_page_and_the_figure_refuse_it_with_one_sentence(tmp_path, capsys):
    with_column("optimizer", "sgd", "sgd", "adam").to_csv(tmp_path / "runs.csv", index=False)
    for command in ("report", "plot", "compare"):
        assert main([command, str(tmp_path / "runs.csv")]) == 2
        assert "differ in optimizer (adam, sgd), which is not a column" in capsys.readouterr().err


def test_runs_of_this_suite_have_no_unknown_columns():
    of_runs = (
        path for path in PUBLISHED.rglob("*.csv") if path.name not in ("curves.csv", results.DISTANCES)
    )
    tables = [path for path in of_runs if path.parent.name != EVALUATIONS]
    assert len(tables) > 8
    for path in tables:
        table = results.read_records(path)
        assert not unused_columns(table) and not unknown_settings(table), path
