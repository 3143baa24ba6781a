"""The file of verified records beside a sweep: the same records, kept only while the folders are the same."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from written_runs import write_sealed_run

from vision import results
from vision.results.index import INDEX


@pytest.fixture
def sweep(small_run, monkeypatch) -> Path:
    """Four runs, which are enough for the file."""
    monkeypatch.setattr("vision.results.index.LEAST", 3)
    for seed in range(4):
        write_sealed_run(replace(small_run, seed=seed))
    return Path(small_run.output_dir) / small_run.sweep


def test_records_from_the_file_are_those_from_the_folders(sweep):
    first = results.collect(sweep)
    assert (sweep / INDEX).exists()
    pd.testing.assert_frame_equal(results.collect(sweep), first)
    os.remove(sweep / INDEX)
    pd.testing.assert_frame_equal(results.collect(sweep), first)


def test_what_changed_is_read_again_even_under_its_old_time(sweep):
    results.collect(sweep)
    path = sweep / "CNN/n60/s2/result.json"
    before = path.stat()
    text = path.read_text()
    path.write_text(text.replace('"test_accuracy": 0.75', '"test_accuracy": 0.95'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert results.status(sweep)["damaged"] == ["CNN/n60/s2"]
    with pytest.warns(UserWarning, match="s2/result.json was altered"):
        assert results.collect(sweep)["seed"].tolist() == [0, 1, 3]


def test_runs_come_and_go(sweep, small_run):
    results.collect(sweep)
    write_sealed_run(replace(small_run, seed=9))
    for path in (sweep / "CNN/n60/s0").iterdir():
        path.unlink()
    assert results.collect(sweep)["seed"].tolist() == [1, 2, 3, 9]
    assert len(results.status(sweep)["finished"]) == 4


@pytest.mark.parametrize("contents", [b"", b"PAR1 no table"])
def test_a_damaged_file_is_replaced(sweep, contents):
    (sweep / INDEX).write_bytes(contents)
    assert len(results.collect(sweep)) == 4
    assert (sweep / INDEX).stat().st_size > 100


def test_a_file_of_another_kind_is_replaced(sweep):
    pd.DataFrame({"folder": ["CNN/n60/s0"], "test_accuracy": [1.0]}).to_parquet(sweep / INDEX)
    assert results.collect(sweep)["test_accuracy"].tolist() == [0.75] * 4


def test_it_holds_the_records_as_they_are(sweep):
    results.collect(sweep)
    table = pd.read_parquet(sweep / INDEX)
    run = sweep / table["folder"][1]
    assert json.loads(table["record"][1]) == json.loads((run / "result.json").read_text())
