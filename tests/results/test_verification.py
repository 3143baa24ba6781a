"""Altered, cut, copied and misplaced records are named, and the others are used."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from written_runs import sealed, write_run, write_sealed_run

from vision import results
from vision.results.checksums import SEAL, seal


@pytest.fixture
def sweep(small_run) -> Path:
    """Two sound runs."""
    for seed in (0, 1):
        write_sealed_run(replace(small_run, seed=seed))
    return Path(small_run.output_dir) / small_run.sweep


def alter(result: Path, **values: object) -> None:
    result.write_text(json.dumps(json.loads(result.read_text()) | values))


def problems_of(sweep: Path, run: str) -> str:
    return "; ".join(results.verify(sweep)[1].get(run, []))


def test_sound_runs_are_sound(sweep):
    assert results.verify(sweep) == (2, {}) and results.without_checksums(sweep) == []


def test_an_altered_accuracy_is_left_out_with_a_warning(sweep):
    alter(sweep / "CNN/n60/s1/result.json", test_accuracy=0.99)
    assert "was altered: its record_sha256" in problems_of(sweep, "CNN/n60/s1")
    assert results.status(sweep)["damaged"] == ["CNN/n60/s1"]
    with pytest.warns(UserWarning, match=r"left out: .*s1/result.json was altered"):
        records = results.collect(sweep)
    assert records["seed"].tolist() == [0]


def test_a_seed_that_was_copied_is_counted_once(sweep):
    shutil.copytree(sweep / "CNN/n60/s0", sweep / "CNN/n60/s7")
    assert "is the record of another run: that of n60/s0" in problems_of(sweep, "CNN/n60/s7")
    shutil.copytree(sweep / "CNN", sweep / "CNN-2")
    assert "CNN-2/n60/s1 is a copy of the run in CNN/n60/s1" in problems_of(sweep, "CNN-2/n60/s1")
    shutil.copytree(sweep, sweep.with_name("sweep-2"))
    with pytest.warns(UserWarning, match="left out"):
        assert len(results.collect(sweep.parent)) == 2


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("[1, 2]", "must hold a JSON object, got [1, 2]"),
        ('{"label": ', "is truncated or not valid JSON"),
        ("", "is truncated or not valid JSON"),
        ("\x00" * 50, "is truncated or not valid JSON"),
        ("[" * 100_000, "is truncated or not valid JSON"),
        ('{"record_version": 4}', "was altered"),
        (None, "cannot be read (Is a directory)"),
    ],
)
def test_a_result_that_is_no_record_is_named(sweep, contents, message):
    path = sweep / "CNN/n60/s1/result.json"
    path.unlink()
    path.mkdir() if contents is None else path.write_text(contents)
    assert message in problems_of(sweep, "CNN/n60/s1")
    assert results.status(sweep)["damaged"] == ["CNN/n60/s1"]
    with pytest.warns(UserWarning, match="left out"):
        assert len(results.collect(sweep)) == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"test_accuracy": "0.9"}, "test_accuracy must be a number, got '0.9'"),
        ({"test_accuracy": 9.0}, "test_accuracy must be from 0 to 1, got 9.0"),
        ({"train_accuracy": float("nan")}, "train_accuracy must be from 0 to 1, got nan"),
        ({"test_loss": float("inf")}, "test_loss must be a finite number, got inf"),
        ({"params": 10**400}, "params must be a smaller number"),
        ({"train_size": -5}, "train_size must be at least 1, got -5"),
        ({"seed": [1]}, "seed must be an integer, got [1]"),
        ({"label": None}, "label must be a string, got None"),
        ({"label": "\x1b[31mred"}, "label must be a name without control characters"),
        ({"settings": [1]}, "settings must be a dict, got [1]"),
        ({"versions": None}, "versions must be a dict, got None"),
        ({"versions": {"torch": {}}}, "versions must be a dict"),
        ({"classes": 7}, "classes must be [a string, ...], got 7"),
        ({"files_sha256": 5}, "files_sha256 must be a dict, got 5"),
    ],
)
def test_a_record_with_a_value_of_another_kind_is_left_out(sweep, values, message):
    path = sweep / "CNN/n60/s1/result.json"
    record = {name: value for name, value in json.loads(path.read_text()).items() if name != SEAL}
    path.write_text(json.dumps(seal(record | values)))
    assert message in problems_of(sweep, "CNN/n60/s1")
    assert results.status(sweep)["damaged"] == ["CNN/n60/s1"]
    with pytest.warns(UserWarning, match="left out"):
        assert len(results.collect(sweep)) == 1


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(sweep):
    for path in (sweep / "CNN/n60/s0" / results.PREDICTIONS, sweep / "CNN/n60/s1/result.json"):
        path.unlink()
        os.mkfifo(path)
        assert "it is a device or a pipe" in problems_of(sweep, str(path.parent.relative_to(sweep)))


def test_an_altered_or_missing_file_is_named(sweep):
    predictions = sweep / "CNN/n60/s0" / results.PREDICTIONS
    contents = bytearray(predictions.read_bytes())
    contents[-1] ^= 1
    predictions.write_bytes(contents)
    (sweep / "CNN/n60/s1/config.yaml").unlink()
    assert f"{results.PREDICTIONS} was altered" in problems_of(sweep, "CNN/n60/s0")
    assert "config.yaml is missing" in problems_of(sweep, "CNN/n60/s1")
    (sweep / "CNN/n60/s1" / results.LABELS).unlink()
    expected = {results.PREDICTIONS: ["CNN/n60/s0"], results.LABELS: []}
    assert results.altered_files(sweep, [results.PREDICTIONS, results.LABELS]) == expected


def test_runs_without_checksums_are_checked_against_their_predictions(small_run):
    folder = write_run(small_run, accuracy=0.9)
    for name in (results.PREDICTIONS, results.LABELS):
        np.save(folder / name, np.arange(4))
    sweep = folder.parents[2]
    assert results.without_checksums(sweep) == ["CNN/n60/s0"]
    assert "has test_accuracy=0.9, but test_predictions.npy gives 1" in problems_of(sweep, "CNN/n60/s0")


def test_on_request_a_damaged_run_counts_as_missing(sweep, small_run):
    folder = results.run_folder(small_run)
    alter(folder / "result.json", test_accuracy=0.99)
    assert len(results.set_aside_damaged(folder)) == 1
    assert results.load_finished(folder, small_run) is None
    write_sealed_run(small_run)
    assert results.verify(sweep) == (2, {})
    assert len(list(folder.glob("damaged-*-result.json"))) == 1, "what was damaged is kept"


def test_notes_of_a_user_are_no_part_of_the_run(small_run):
    folder = results.run_folder(small_run)
    with results.atomic_run_folder(folder, small_run) as attempt:
        (attempt.folder / "notes.txt").touch()
        record = sealed(attempt.folder, small_run)
    (folder / "notes.txt").write_text("changed")
    assert list(record["files_sha256"]) == ["config.yaml"] and not results.set_aside_damaged(folder)
