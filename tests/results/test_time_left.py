"""The time that a sweep still takes, from what is in its folder."""

import json
import time
from pathlib import Path

import pytest
from held_runs import holder
from many_runs import write_many_runs

from vision import results
from vision.results.checksums import seal
from vision.results.durations import Durations
from vision.results.files import PROGRESS
from vision.results.progress import RunProgress, read_progress


def test_a_run_is_expected_to_take_as_long_as_those_like_it():
    durations = Durations()
    assert durations.expected("A/n10/s0") is None
    durations.add("A/n10/s0", 10, work=1)
    durations.add("A/n10/s1", 14, work=1)
    durations.add("A/n20/s0", 24, work=2)
    durations.add("deep/er/B/n10/s0", 100)
    assert durations.expected("elsewhere/A/n10/s7", work=5) == 12, "the mean of its model and size"
    assert durations.expected("A/n40/s0", work=4) == 48, "12 s for each unit of work"
    assert durations.expected("A/n40/s0") == 16, "the mean of its model"
    assert durations.expected("B/n20/s0", work=2) == 100, "nothing is known of its work"
    assert durations.expected("C/n10/s0", work=3) == 36, "that of all"
    assert durations.expected("C/n10/s0") == 37


def test_processes_at_once_take_the_longest_run_first():
    assert results.makespan([0.0], [3.0, 4.0]) == 7
    assert results.makespan([10.0, 2.0], []) == 10
    assert results.makespan([10.0, 2.0], [6.0, 3.0]) == 11, "2 + 6 and 3 after it"
    assert results.makespan([0.0, 0.0], [1.0, 1.0, 1.0, 3.0]) == 3


def test_the_speed_of_a_run_is_that_since_it_began_here(tmp_path, monkeypatch):
    clock = iter([100.0, 104.0, 110.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    progress = RunProgress(tmp_path)
    progress.write()
    assert not (tmp_path / PROGRESS).exists(), "nothing is known yet"
    progress.note(50, 200)  # it continues after 50 steps
    progress.note(58, 200)
    progress.note(80, 200)
    progress.write()
    assert read_progress(tmp_path) == (80, 200, 3.0)
    (tmp_path / PROGRESS).write_text('{"step": 80, "ste')
    assert read_progress(tmp_path) == (0, 0, 0.0)
    progress.end()
    progress.write()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Eight finished runs of two models and two sizes: 10 and 20 s, and twice as long for the second."""
    folder = tmp_path / "sweep"
    write_many_runs(folder, models=2, sizes=2, seeds=2)
    for path in folder.rglob("result.json"):
        record = json.loads(path.read_text())
        seconds = 10 * record["train_size"] / 100 * (1 + (record["label"] == "model1"))
        record |= {
            "train_seconds": seconds,
            "started": "2026-01-01T00:00:00",
            "finished": "2026-01-01T00:00:01",
        }
        path.write_text(json.dumps(seal({k: v for k, v in record.items() if k != "record_sha256"})))
    return folder


def test_the_time_left_counts_the_processes_at_work(sweep, small_run):
    missing = ["model0/n100/s5", "model0/n200/s5", "model1/n200/s5"]
    left = results.TimeLeftOfOthers(sweep)
    assert left.seconds(running=[], missing=missing, finished=8) == 10 + 20 + 40
    with holder(small_run):
        run = results.run_folder(small_run)
        [attempt] = results.attempts(run)
        (attempt / PROGRESS).write_text('{"step": 100, "steps": 400, "steps_per_second": 20}')
        shown = str(results.progress_of(run))
        assert shown.endswith(", step 100 of 400, 20 steps/s") and "process " in shown
        name = str(run.relative_to(sweep.parent / "outputs"))
        beside = results.TimeLeftOfOthers(sweep.parent / "outputs")
        assert beside.seconds(running=[name], missing=[], finished=0) == 15
        assert beside.seconds(running=[name], missing=missing, finished=0) is None, "nothing has finished"
    assert left.seconds(running=["model0/n100/s6"], missing=missing, finished=8) == 10 + 70
    two = ["model0/n100/s6", "model1/n200/s7"]
    assert left.seconds(running=two, missing=missing, finished=8) == 60, "10 + 40, and 40 + 20"


def test_a_finished_run_keeps_no_progress(small_run):
    folder = results.run_folder(small_run)
    with results.atomic_run_folder(folder, small_run) as attempt:
        attempt.note(5, 10)
        (attempt.folder / PROGRESS).write_text("{}")
        results.write_result(attempt.folder, {"test_accuracy": 0.5, "record_version": 4})
    assert (
        not (folder / PROGRESS).exists()
        and "progress.json" not in results.read_result(folder)["files_sha256"]
    )
