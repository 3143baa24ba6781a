"""A run's folder: nothing finished is lost, reused for another config, or overwritten."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vision import results
from vision.config import RunConfig
from vision.provenance import provenance


def write_run(config: RunConfig, accuracy: float = 0.5) -> Path:
    folder = results.run_folder(config)
    with results.atomic_run_folder(folder, config) as partial:
        record = {
            "label": "CNN",
            "train_size": config.train_size,
            "seed": config.seed,
            "test_accuracy": accuracy,
            "config_sha256": results.fingerprint(config),
        }
        results.write_json(partial / results.RESULT, record)
    return folder


def test_the_folder_says_what_the_run_is(small_run):
    assert results.run_folder(small_run).parts[-4:] == ("test", "CNN", "n60", "s0")
    spaced = replace(small_run, model=replace(small_run.model, label="local attention, 3 x 3/2"))
    assert results.run_folder(spaced).parts[-3] == "local-attention-3-x-3-2"


def test_a_finished_run_is_found_again(small_run):
    assert results.load_finished(results.run_folder(small_run), small_run) is None
    folder = write_run(small_run)
    record = results.load_finished(folder, small_run)
    assert record is not None and record["test_accuracy"] == 0.5
    moved = replace(small_run, training=replace(small_run.training, threads=2))
    assert results.load_finished(folder, moved) is not None


def test_another_config_for_the_same_folder_shows_each_difference(small_run):
    folder = write_run(small_run)
    other = replace(small_run, training=replace(small_run.training, lr=0.5, steps=13))
    with pytest.raises(results.ConfigMismatch) as caught:
        results.load_finished(folder, other)
    assert "training.lr: 0.001 there, 0.5 requested" in str(caught.value)
    assert "training.steps: 12 there, 13 requested" in str(caught.value)
    assert "weight_decay" not in str(caught.value)


def test_nothing_is_under_the_final_name_before_the_end(small_run):
    folder = results.run_folder(small_run)
    with results.atomic_run_folder(folder, small_run) as partial:
        assert partial.is_dir() and not folder.exists()
        assert results.status(folder.parents[2])["running"] == ["CNN/n60/s0"]
    assert folder.is_dir() and not partial.exists()


def test_an_error_leaves_its_traceback_and_no_result(small_run):
    folder = results.run_folder(small_run)
    with pytest.raises(ZeroDivisionError), results.atomic_run_folder(folder, small_run):
        raise ZeroDivisionError
    failure = results.read_failure(folder)
    assert "ZeroDivisionError" in failure["traceback"] and failure["error"].startswith("ZeroDivisionError")
    assert results.load_finished(folder, small_run) is None
    (folder / results.FAILURE).write_text('{"error": "Zero')
    with pytest.raises(ValueError, match=r"s0/failure.json is truncated or not valid JSON .*rerun the sweep"):
        results.read_failure(folder)
    results.write_json(folder / results.FAILURE, {})
    assert "s0/failure.json has no error; remove its folder" in results.why_failed(folder)
    write_run(small_run)
    assert results.load_finished(folder, small_run) and not (folder / results.FAILURE).exists()


def test_an_interrupt_leaves_nothing(small_run):
    folder = results.run_folder(small_run)
    with pytest.raises(KeyboardInterrupt), results.atomic_run_folder(folder, small_run):
        raise KeyboardInterrupt
    assert list(folder.parent.iterdir()) == []


def test_a_finished_run_is_never_overwritten(small_run):
    folder = results.run_folder(small_run)
    with results.atomic_run_folder(folder, small_run) as late:
        partial_of_other = folder.with_name("other")
        partial_of_other.mkdir()
        same = {"config_sha256": results.fingerprint(small_run)}
        results.write_json(partial_of_other / results.RESULT, {"test_accuracy": 0.9, **same})
        partial_of_other.rename(folder)
        results.write_json(late / results.RESULT, {"test_accuracy": 0.1})
    assert json.loads((folder / results.RESULT).read_text())["test_accuracy"] == 0.9
    with pytest.raises(ZeroDivisionError), results.atomic_run_folder(folder, small_run):
        1 / 0  # noqa: B018
    assert json.loads((folder / results.RESULT).read_text())["test_accuracy"] == 0.9


def test_two_processes_are_not_at_one_run(small_run):
    folder = results.run_folder(small_run)
    other = folder.with_name(f"{folder.name}{results.PARTIAL}{os.uname().nodename}-{os.getppid()}")
    other.mkdir(parents=True)
    with pytest.raises(results.RunInProgress, match=other.name), results.atomic_run_folder(folder, small_run):
        pytest.fail("it began")
    assert other.is_dir()


def test_a_run_that_another_config_overtook_is_an_error_not_a_result(small_run):
    folder = results.run_folder(small_run)
    other = replace(small_run, training=replace(small_run.training, lr=0.5))
    with pytest.raises(results.ConfigMismatch), results.atomic_run_folder(folder, small_run) as late:
        results.write_json(late / results.RESULT, {"config_sha256": results.fingerprint(small_run)})
        late.rename(folder.with_name("aside"))
        write_run(other)
        folder.with_name("aside").rename(late)
    assert results.load_finished(folder, other)


def test_what_a_killed_process_left_is_cleared_away(small_run):
    folder = results.run_folder(small_run)
    killed = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    name = f"{folder.name}{results.PARTIAL}{os.uname().nodename}-{killed.stdout.strip()}"
    (folder.parent / name).mkdir(parents=True)
    assert results.status(folder.parents[2])["running"] == []
    write_run(small_run)
    assert [p.name for p in folder.parent.iterdir()] == ["s0"]


def test_status_tells_finished_failed_and_missing(small_run):
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


def test_collect_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        results.collect(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no finished run"):
        results.collect(tmp_path)


def test_a_record_of_a_later_version_is_refused_by_name(small_run):
    folder = write_run(small_run)
    record = json.loads((folder / results.RESULT).read_text())
    assert results.collect(small_run.output_dir)["record_version"].tolist() == [1]
    results.write_json(folder / results.RESULT, record | {"record_version": results.RECORD_VERSION + 1})
    with pytest.raises(ValueError, match=r"s0/result.json is a record of version 4.* reads those up to 3"):
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


def test_predictions_of_runs_on_the_same_test_images_stand_side_by_side(small_run):
    runs = [replace(small_run, seed=seed) for seed in (0, 1)]
    for config, guessed in zip(runs, ([0, 1, 2], [0, 2, 2]), strict=True):
        np.save(write_run(config) / results.PREDICTIONS, np.array(guessed, dtype=np.uint8))
    records = results.collect(small_run.output_dir)
    with pytest.raises(FileNotFoundError, match=results.LABELS):
        results.predictions(small_run.output_dir, records)
    for config in runs:
        np.save(results.run_folder(config) / results.LABELS, np.array([0, 1, 2], dtype=np.uint8))
    guessed, labels = results.predictions(small_run.output_dir, records)
    assert guessed.tolist() == [[0, 1, 2], [0, 2, 2]] and labels.tolist() == [0, 1, 2]
    np.save(results.run_folder(runs[1]) / results.LABELS, np.array([0, 1, 1], dtype=np.uint8))
    with pytest.raises(ValueError, match=r"s1 was tested on other images than .*s0"):
        results.predictions(small_run.output_dir, records)


def test_learning_curves_have_a_row_an_evaluation(small_run):
    folder = write_run(small_run)
    for step, accuracy in ((4, 0.2), (8, 0.4)):
        results.append_metrics(folder, {"step": step, "val_accuracy": accuracy})
    curves = results.learning_curves(small_run.output_dir, results.collect(small_run.output_dir))
    assert curves[["label", "train_size", "seed", "step"]].values.tolist() == [
        ["CNN", 60, 0, 4],
        ["CNN", 60, 0, 8],
    ]
    assert curves["val_accuracy"].tolist() == [0.2, 0.4]


def test_provenance_names_versions_and_commit():
    record = provenance()
    assert set(record["versions"]) >= {"torch", "timm", "hydra-core", "vit-vs-cnn"}
    assert record["commit"] is None or len(record["commit"].split("+")[0]) == 40


def test_a_copy_without_git_or_installation_still_has_a_provenance(monkeypatch):
    monkeypatch.setenv("VISION_COMMIT", "0123abc")
    monkeypatch.setattr("vision.provenance.PACKAGES", ("torch", "no-such-package"))
    provenance.cache_clear()
    try:
        record = provenance()
    finally:
        provenance.cache_clear()
    assert record["commit"] == "0123abc" and record["versions"]["no-such-package"] == "not installed"


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
