"""scripts/gpu_check.py on a CPU: a failing part stops no other, time limits hold, finished runs are kept."""

import csv
import json
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import gpu_check
import pytest
import torch
from gpu import archive
from gpu.benchmark_part import run_benchmark
from gpu.events import LOG, read_events
from gpu.log import Log
from gpu.machine import find_commit
from gpu.process import TIMED_OUT, Clock, Process, python
from gpu.rows import ROWS, Spec, row_function
from gpu.tables import read_runs, write_csv
from gpu.timing import in_turns, quartiles, ratio, summary

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu_check.py"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with closing(Log(tmp_path / "log.txt")) as opened:
        yield opened


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--device", "cpu", "--tiny", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
def test_one_command_tests_measures_and_trains_and_goes_on_where_it_was(tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"
    arguments = ("--seconds", "240", "--tests", "data", "--rows", "step_vit_graphed_step")
    arguments += ("--models", "vit", "--workers", "1")
    done = run_script("--out", str(out), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {"results.json", "tests.csv", "benchmark.csv", "study.csv", "runs.tar.gz", "log.txt"}
    assert {file.name for file in out.iterdir()} == names
    found = json.loads((out / "results.json").read_text())
    assert found["device"] and found["commit"] and found["versions"]["torch"] and found["seconds"] == 240
    assert found["study"]["failed"] == 0 and found["study"]["left"] == ["tiny: 3 of 3 runs done"]
    assert len(found["tests"]) > 4 and {row["outcome"] for row in found["tests"]} <= {"passed", "skipped"}
    rows = csv_rows(out / "benchmark.csv")
    assert {row["row"] for row in rows} == {"step_vit_graphed_step"}
    assert all(row["n"] and row["device"] and row["commit"] for row in rows if not row["error"])
    assert any("needs a CUDA device" in row["error"] for row in rows)
    with tarfile.open(out / "runs.tar.gz") as tar:
        names = tar.getnames()
    assert any(name.endswith("metrics.jsonl") for name in names)
    assert not any(name.endswith(".safetensors") for name in names)

    resume = ("--resume", str(out / "runs.tar.gz"))
    done = run_script("--out", str(again), "--parts", "study", "--models", "vit", "--workers", "1", *resume)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{found['study']['finished']} runs finished before" in done.stdout
    finished = [
        {row["folder"]: row["finished"] for row in csv_rows(folder / "study.csv")} for folder in (out, again)
    ]
    assert finished[0] == finished[1], "no run is trained again"


@pytest.fixture
def told_here(monkeypatch, capsys) -> Callable[..., tuple[object, str]]:
    """Call the script's main() in this process; return its exit status and what it says."""
    monkeypatch.setenv("VISION_COMMIT", "abc")  # it is set for the runs
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def call(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--tiny", *arguments])
        try:
            status: object = gpu_check.main()
        except SystemExit as stop:
            status = stop.code
        return status, "".join(capsys.readouterr())

    return call


def test_wrong_arguments_are_named(told_here, tmp_path):
    for arguments, message in {
        ("--parts", "tests,speed"): "speed is not one of tests, benchmark, study",
        ("--rows", "step"): "step is not one of step_vit_graphed_step",
        ("--resume", "nowhere.tar.gz"): "--resume nowhere.tar.gz is not a file",
    }.items():
        status, said = told_here("--out", str(tmp_path / "out"), "--device", "cpu", *arguments)
        assert status == 2 and message in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_process_is_killed_at_its_limit_with_all_that_it_started(log, tmp_path):
    alive = tmp_path / "alive"
    child = f"import time\nwhile True: open({str(alive)!r}, 'a').write('x'); time.sleep(0.05)"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()"
    start = time.monotonic()
    assert Process(python("-c", parent), "hangs", log).wait(2.0) is None
    assert time.monotonic() - start < 8
    size = alive.stat().st_size
    time.sleep(0.5)
    assert size > 0 and alive.stat().st_size == size
    assert TIMED_OUT in (tmp_path / "log.txt").read_text()


@pytest.mark.slow
def test_a_row_that_crashes_or_hangs_costs_no_other(log, monkeypatch):
    lines: list[list[dict]] = []
    monkeypatch.setitem(ROWS, "convolution", Spec("convolution", {}, 0.05))  # killed while it imports
    found = run_benchmark(
        Clock(200),
        log,
        device="cpu",
        tiny=True,
        chosen=["convolution", "step_vit_graphed_step"],
        on_row=lambda rows: lines.append(list(rows)),
    )
    assert [row.get("error") for row in found if row["row"] == "convolution"] == [TIMED_OUT]
    assert any(row.get("way") == "eager" and row["n"] for row in found)
    assert len(lines) == 2


def test_no_row_begins_without_time(log):
    found = run_benchmark(Clock(1), log, device="cpu", tiny=True, chosen=["loop"], on_row=print)
    assert found == [{"row": "loop", "error": "no time left"}]


@pytest.mark.parametrize("name", ROWS)
def test_every_row_has_a_function_and_a_limit(name):
    assert callable(row_function(name)) and 10 < ROWS[name].seconds <= 200


@pytest.mark.slow
def test_the_plugin_goes_on_after_the_test_in_which_a_process_died(tmp_path, monkeypatch):
    tests = "import os\ndef test_a(): pass\ndef test_b(): os._exit(3)\ndef test_c(): assert False\n"
    (tmp_path / "test_it.py").write_text(tests)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    record = tmp_path / "record.jsonl"
    monkeypatch.setenv(LOG, str(record))
    monkeypatch.setenv("PYTHONPATH", str(SCRIPT.parent))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "gpu.pytest_record", str(tmp_path)]
    statuses = [subprocess.run(command, cwd=tmp_path, capture_output=True).returncode for _ in range(3)]
    assert statuses == [3, 1, 5]
    outcomes = {event["test"].rpartition("::")[2]: event["outcome"] for event in read_events(record)}
    assert outcomes == {"test_a": "passed", "test_b": "started", "test_c": "failed"}


def test_an_archive_holds_runs_without_weights_and_unfinished_ones(tmp_path):
    outputs = tmp_path / "outputs"
    for name in ("CNN/n20/s0", "CNN/n20/s1.partial-host-1"):
        folder = outputs / name
        folder.mkdir(parents=True)
        (folder / "result.json").write_text('{"seed": 0, "settings": {"training.lr": 0.1}, "versions": {}}')
        (folder / "model.safetensors").write_text("weights")
    assert archive.pack(outputs, tmp_path / "runs.tar.gz") == 1
    assert archive.unpack(tmp_path / "runs.tar.gz", tmp_path / "back") == 1
    assert [f.name for f in (tmp_path / "back").rglob("*") if f.is_file()] == ["result.json"]
    rows = read_runs(tmp_path / "back")
    assert rows == [{"folder": "CNN/n20/s0", "training.lr": 0.1, "seed": 0}]
    write_csv(tmp_path / "study.csv", rows)
    assert (tmp_path / "study.csv").read_text().splitlines()[0] == "folder,training.lr,seed"
    (tmp_path / "no.tar.gz").write_text("no archive")
    with pytest.raises(ValueError, match=r"must be the runs\.tar\.gz of an earlier"):
        archive.unpack(tmp_path / "no.tar.gz", tmp_path / "back")


def test_times_and_ratios():
    steps = {"one": lambda: time.sleep(0.002), "two": lambda: time.sleep(0.004)}
    taken = in_turns(steps, torch.device("cpu"), rounds=3, round_seconds=0.01)
    assert [len(seconds) for seconds in taken.values()] == [3, 3]
    assert 1.5 < ratio(taken["two"], taken["one"])["ratio"] < 2.5
    assert summary([0.001, 0.002, 0.003])["ms"] == pytest.approx(2.0)
    assert quartiles([5.0]) == (5.0, 5.0, 5.0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.slow
def test_without_a_gpu_it_ends_at_once_with_a_message(told_here, tmp_path):
    status, said = told_here("--out", str(tmp_path / "out"), "--device", "cuda")
    assert status == 2 and "--device cuda needs a CUDA device that computes" in said


def test_the_commit_can_be_given(monkeypatch):
    monkeypatch.delenv("VISION_COMMIT", raising=False)
    assert find_commit("abc") == "abc"
    monkeypatch.setenv("VISION_COMMIT", "def")
    assert find_commit() == "def" and find_commit("abc") == "abc"
