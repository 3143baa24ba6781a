"""The runs of a sweep: which are finished, and their records, metrics and predictions as tables."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from written_runs import write_run

from vision import results


def test_status_counts_finished_failed_and_missing_runs(small_run):
    runs = [replace(small_run, seed=seed) for seed in range(3)]
    sweep = Path(small_run.output_dir) / small_run.sweep
    results.write_plan(sweep, [results.run_folder(run) for run in runs[:2]])
    results.write_plan(sweep, [results.run_folder(run) for run in runs[1:]])
    write_run(runs[0])
    with pytest.raises(ValueError), results.atomic_run_folder(results.run_folder(runs[1]), runs[1]):
        raise ValueError("on purpose")
    expected = {
        "finished": ["CNN/n60/s0"],
        "failed": ["CNN/n60/s1"],
        "running": [],
        "missing": ["CNN/n60/s2"],
        "damaged": [],
    }
    assert results.status(sweep) == expected
    assert results.status(sweep.parent)["missing"] == ["test/CNN/n60/s2"]
    (sweep / "plan.json").write_text('{"runs": ["CNN')
    with pytest.raises(ValueError, match=r"plan.json is truncated .*; remove this file and rerun the sweep"):
        results.status(sweep)


def test_collect_gathers_finished_runs_in_order(small_run):
    for seed, size in ((1, 60), (0, 60), (0, 20)):
        write_run(replace(small_run, seed=seed, train_size=size), accuracy=seed / 10)
    table = results.collect(small_run.output_dir)
    assert table[["train_size", "seed"]].values.tolist() == [[20, 0], [60, 0], [60, 1]]
    assert table["folder"].tolist()[0] == "test/CNN/n20/s0"


def test_collect_names_a_missing_folder_and_missing_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        results.collect(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no finished run"):
        results.collect(tmp_path)


def test_a_record_of_a_later_version_is_refused_by_name(small_run):
    folder = write_run(small_run)
    record = json.loads((folder / results.RESULT).read_text())
    assert results.collect(small_run.output_dir)["record_version"].tolist() == [1]
    results.write_json(folder / results.RESULT, record | {"record_version": results.RECORD_VERSION + 1})
    with pytest.raises(ValueError, match=r"s0/result.json is a record of version 5.* reads those up to 4"):
        results.collect(small_run.output_dir)


def test_records_come_from_a_folder_or_a_table(small_run, tmp_path):
    write_run(small_run)
    records = results.read_records(small_run.output_dir)
    for name, write in (("a.csv", records.to_csv), ("a.parquet", records.to_parquet)):
        write(tmp_path / name, index=False)
        assert results.read_records(tmp_path / name)["test_accuracy"].tolist() == [0.5]
    (tmp_path / "empty.csv").write_text("label,train_size,seed,test_accuracy\n")
    with pytest.raises(ValueError, match=r"empty.csv has no rows"):
        results.read_records(tmp_path / "empty.csv")
    with pytest.raises(ValueError, match=r"plan.txt is not a table of records; give a .csv, a .parquet, or"):
        (tmp_path / "plan.txt").touch()
        results.read_records(tmp_path / "plan.txt")


def test_learning_curves_have_one_row_per_evaluation(small_run):
    folder = write_run(small_run)
    for step, accuracy in ((4, 0.2), (8, 0.4)):
        results.append_metrics(folder, {"step": step, "val_accuracy": accuracy})
    curves = results.learning_curves(small_run.output_dir, results.collect(small_run.output_dir))
    assert curves[["label", "train_size", "seed", "step"]].values.tolist() == [
        ["CNN", 60, 0, 4],
        ["CNN", 60, 0, 8],
    ]
    assert curves["val_accuracy"].tolist() == [0.2, 0.4]


def test_a_file_that_cannot_be_read_is_named(small_run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nowhere.csv"):
        results.read_records(tmp_path / "nowhere.csv")
    for name in ("nothing.csv", "nothing.parquet"):
        (tmp_path / name).touch()
        with pytest.raises(ValueError, match=rf"{name} cannot be read as a table"):
            results.read_records(tmp_path / name)
    result = write_run(small_run) / results.RESULT
    record = json.loads(result.read_text())
    results.write_json(result, record | {"record_version": "2"})
    with pytest.raises(
        ValueError, match=r"result.json: record_version must be an integer, such as 2, got '2'"
    ):
        results.collect(small_run.output_dir)
    for text, message in (
        ("null", "must hold a JSON object, got None"),
        ("{}", "has no label, train_size"),
    ):
        result.write_text(text)
        with pytest.raises(ValueError, match=rf"s0/result.json {message}.*rerun the sweep"):
            results.collect(small_run.output_dir)
    results.write_json(result, record | {"settings": None})
    assert len(results.collect(small_run.output_dir)) == 1
    (result.parent / results.METRICS).write_text("3\n")
    with pytest.raises(ValueError, match=r"metrics.jsonl must hold a JSON object in each line, got 3"):
        results.learning_curves(small_run.output_dir, results.collect(small_run.output_dir))
    result.write_text(json.dumps(record)[:30])
    with pytest.raises(ValueError, match=r"s0/result.json is truncated or not valid JSON"):
        results.collect(small_run.output_dir)


def test_a_csv_is_safe_to_open_in_a_spreadsheet(tmp_path):
    labels = ["=cmd|' /C calc'!A0", "+1", "-2", "@x", "CNN", "'quoted'"]
    table = pd.DataFrame({"label": labels, "train_size": 60, "seed": range(6), "test_accuracy": -0.5})
    results.write_csv(table, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert [line[:2] for line in lines[1:]] == ["'=", "'+", "'-", "'@", "CN", "'q"]
    assert lines[1].endswith(",60,0,-0.5"), "numbers stay numbers"
    assert results.read_records(tmp_path / "a.csv")["label"].tolist() == labels
