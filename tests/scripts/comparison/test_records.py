"""The table of a study: it grows, keeps what it has, and finds runs whose folders are gone."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
from comparison.records import Records

from vision import results
from vision.experiment import run


def test_runs_are_found_by_their_config_even_when_their_folders_are_gone(small_run, tmp_path):
    file, sweep = tmp_path / "tables" / "small.csv", tmp_path / "outputs" / "test"
    table = Records(file, sweep)
    assert len(table) == 0 and table.find(small_run) is None and not file.exists()
    record = run(small_run)
    table.update()
    found = table.find(small_run)
    assert found is not None and found["folder"] == "CNN/n60/s0"
    assert float(found["test_accuracy"]) == record["test_accuracy"]
    assert table.find(replace(small_run, seed=1)) is None
    before = file.read_text()
    shutil.rmtree(sweep)
    later = Records(file, sweep)
    assert later.find(small_run) == found and file.read_text() == before
    run(replace(small_run, seed=1, training=replace(small_run.training, optimizer="sgd")))
    later.update()
    assert len(later) == 2 and later.find(small_run) == found | {"training.optimizer": ""}
    records = results.read_records(file)
    assert records["seed"].tolist() == [0, 1] and records["test_accuracy"].notna().all()


def test_a_diverged_run_is_over(small_run, tmp_path):
    wild = replace(small_run, training=replace(small_run.training, lr=1e30, clip_grad=None))
    table = Records(tmp_path / "t.csv", tmp_path / "outputs" / "test")
    assert not table.diverged(wild)
    with pytest.raises(RuntimeError):
        run(wild)
    assert table.diverged(wild) and table.find(wild) is None


def test_another_table_is_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "t.csv")
    with pytest.raises(ValueError, match=r"t\.csv must have a column config_sha256"):
        Records(tmp_path / "t.csv", tmp_path)
