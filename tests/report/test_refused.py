"""What report, plot and compare refuse before any work: wrong tables, mixed runs, wrong paths."""

import re

import pandas as pd
import pytest
from known_records import records
from pages import content, report

from vision.cli import main


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("label", None, r"label is missing in 1 of 30 rows"),
        (
            "data",
            None,
            r"data is missing in 1 of 30 rows; name the data set in each, or omit the column",
        ),
        (
            "test_accuracy",
            "39.1%",
            r"test_accuracy must be a share in \[0, 1\].*got '39.1%' \(wrong in 1 of 30",
        ),
        ("train_accuracy", "99%", r"train_accuracy must be a share in \[0, 1\].*got '99%'"),
        ("params", "1.2M", r"params must be a number, such as 60000; got '1.2M' \(wrong in 1 of 30"),
        ("record_version", 9, r"runs.csv is a record of version 9, and this vit-vs-cnn reads those up to 4"),
        ("record_version", float("inf"), r"runs.csv is a record of version inf"),
        ("label", "Vi\x01T", r"label must be a name without control characters; got 'Vi\\x01T'"),
        ("label", " ViT", r"label is written as ' ViT' and as 'ViT'; use one spelling for one label"),
        ("train_size", "all", r"train_size must be a positive integer.*got 'all'"),
        ("train_size", 0, r"train_size must be a positive integer.*got 0 "),
        ("train_size", 0.05, r"train_size must be a positive integer.*got 0.05"),
        ("train_size", None, r"train_size must be a positive integer.*got nan"),
    ],
)
@pytest.mark.parametrize("command", ["report", "plot", "compare"])
def test_a_table_from_elsewhere_is_refused_by_column_and_value(
    tmp_path, capsys, command, column, value, message
):
    table = records().assign(params=60_000, record_version=1).astype({column: object})
    table.loc[3, column] = value
    table.to_csv(tmp_path / "runs.csv", index=False)
    more = ["--to", "published"] if command == "compare" else []
    assert main([command, str(tmp_path / "runs.csv"), *more]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_runs_that_do_not_belong_together_are_refused(tmp_path, capsys):
    both = pd.concat([records(), records(data="cifar10", seeds=2)])
    with pytest.raises(ValueError, match=r"several data sets: digits \(30 runs\), cifar10 \(20 runs\); give"):
        report(tmp_path, both)
    searched = pd.concat([records().assign(**{"training.lr": lr}) for lr in (0.1, 0.2)])
    with pytest.raises(ValueError, match=r"differ in training.lr \(0.1, 0.2\)"):
        report(tmp_path, searched)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["report", str(empty)]) == 2
    assert f"no finished run below {empty}" in capsys.readouterr().err
    (tmp_path / "few.csv").write_text("label,train_size\nCNN,10\n")
    assert main(["report", str(tmp_path / "few.csv")]) == 2
    assert "missing are seed, test_accuracy" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["report"], ["compare", "--to", "published"]])
def test_mixed_settings_are_refused_with_a_way_out(tmp_path, capsys, command):
    mixed = pd.concat([records().assign(**{"training.lr": lr}) for lr in (0.1, 0.2)])
    mixed.to_csv(tmp_path / "runs.csv", index=False)
    assert main([*command, str(tmp_path / "runs.csv")]) == 2
    said = capsys.readouterr().err
    assert "differ in training.lr (0.1, 0.2); give the folder of one sweep" in said
    assert "--choose training.lr" in said and "--line" not in said
    budgets = pd.concat([records().assign(**{"training.steps": steps}) for steps in (300, 600)])
    budgets.to_csv(tmp_path / "runs.csv", index=False)
    assert main([*command, str(tmp_path / "runs.csv")]) == 2
    said = capsys.readouterr().err
    assert "training.steps (300, 600); give the folder of one sweep" in said and "--choose" not in said


def test_validation_may_choose_among_what_was_searched(tmp_path):
    table = pd.concat(
        [records().assign(**{"training.lr": lr, "val_accuracy": 0.5 + lr}) for lr in (0.1, 0.2)]
    )
    page = content(tmp_path, table, choose=["training.lr"])
    (chosen,) = (table for table in page.tables if table.name == "chosen")
    words = {cell.text for row in chosen.rows for cell in row}
    assert "0.2" in words and "0.1" not in words


def test_a_folder_for_a_page_is_refused_before_the_work(tmp_path, capsys):
    records().to_csv(tmp_path / "runs.csv", index=False)
    assert main(["report", str(tmp_path / "runs.csv"), "--out", str(tmp_path)]) == 2
    assert re.search(r"out must be a file such as .*report.html, got the folder", capsys.readouterr().err)


def test_a_page_replaces_no_other_kind_of_file(tmp_path, capsys):
    given = records().to_csv(index=False)
    for name in ("runs.csv", "other.csv"):
        (tmp_path / name).write_text(given)
    out = tmp_path / "other.csv"
    assert main(["report", str(tmp_path / "runs.csv"), "--out", str(out)]) == 2
    assert re.search(r"out must end in .html, .*got .*other.csv", capsys.readouterr().err)
    assert out.read_text() == given


def test_the_records_are_never_written_over(tmp_path, capsys):
    given = records().to_csv(index=False)
    for name, command in (("runs", ["report", "--out", "runs.csv"]), ("curves", ["plot"])):
        path = tmp_path / f"{name}.csv"
        path.write_text(given)
        more = [str(tmp_path / part) if part.endswith(".csv") else part for part in command[1:]]
        assert main([command[0], str(path), *more]) == 2
        assert re.search(r"another f(ile|older)", capsys.readouterr().err) and path.read_text() == given


@pytest.mark.parametrize(
    ("command", "option"),
    [("report", "--figures"), ("plot", "--out"), ("inspect", "--out"), ("convert", "--out")],
)
def test_a_file_where_a_folder_must_be_is_refused_before_the_work(tmp_path, capsys, command, option):
    records().to_csv(tmp_path / "runs.csv", index=False)
    (tmp_path / "taken").touch()
    source = "resnet10t" if command in ("inspect", "convert") else str(tmp_path / "runs.csv")
    assert main([command, source, option, str(tmp_path / "taken" / "deep")]) == 2
    shown = capsys.readouterr()
    assert (
        shown.out == "" and f"{option} must be a folder, got" in shown.err and "taken is a file" in shown.err
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["report", "plot"])
def test_a_file_where_a_folder_must_be_is_refused_without_traceback(tmp_path, capsys, command):
    records().to_csv(tmp_path / "runs.csv", index=False)
    (tmp_path / "taken").touch()
    out = tmp_path / "taken" / ("page.html" if command == "report" else "")
    assert main([command, str(tmp_path / "runs.csv"), "--out", str(out)]) == 2
    assert f"vision {command}: " in (said := capsys.readouterr().err) and "taken" in said
