"""A run's folder: nothing finished is lost, reused for another config, or overwritten."""

import json
from dataclasses import replace

import pytest
from written_runs import write_run

from vision import results
from vision.config import DataConfig, ModelConfig, RunConfig


def test_the_folder_is_named_after_the_run(small_run):
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


def test_settings_that_came_later_leave_old_runs_what_they_are():
    config = RunConfig(data=DataConfig(name="digits", source="digits"), model=ModelConfig(name="field_cnn"))
    config.train_size = 100
    # as version 3 of the records computed it before there was training.min_steps
    of_old_runs = "9b131af06931f0c882de49b32049ba97e6746d73410617d15505456e54b663eb"
    assert results.fingerprint(config) == of_old_runs
    config.training = replace(config.training, steps=None, epochs=10, min_steps=50)
    assert results.settings(config)["training.min_steps"] == 50
    assert results.fingerprint(config) != results.fingerprint(
        replace(config, training=replace(config.training, min_steps=None))
    )


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
    with results.atomic_run_folder(folder, small_run) as attempt:
        assert attempt.folder.is_dir() and not folder.exists()
        assert results.status(folder.parents[2])["running"] == ["CNN/n60/s0"]
    assert folder.is_dir() and not attempt.folder.exists()


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
        results.write_json(late.folder / results.RESULT, {"test_accuracy": 0.1})
    assert json.loads((folder / results.RESULT).read_text())["test_accuracy"] == 0.9
    too_late = pytest.raises(results.RunInProgress, match="finished by another process")
    with too_late, results.atomic_run_folder(folder, small_run):
        pytest.fail("it began")
    assert json.loads((folder / results.RESULT).read_text())["test_accuracy"] == 0.9


def test_a_run_that_another_config_overtook_is_an_error_not_a_result(small_run):
    folder = results.run_folder(small_run)
    other = replace(small_run, training=replace(small_run.training, lr=0.5))
    with pytest.raises(results.ConfigMismatch), results.atomic_run_folder(folder, small_run) as late:
        results.write_json(late.folder / results.RESULT, {"config_sha256": results.fingerprint(small_run)})
        late.folder.rename(folder.with_name("aside"))
        write_run(other)
        folder.with_name("aside").rename(late.folder)
    assert results.load_finished(folder, other)
