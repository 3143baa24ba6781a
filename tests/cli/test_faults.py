"""Sweeps through crashes, kills, a full disk, a second process and Ctrl-C, each done to real processes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import TINY, VISION
from held_runs import OTHER_HOST, needs_other_host
from launchers import LAUNCHERS, launched_by

pytestmark = pytest.mark.slow
SWEEP = Path("outputs/tiny/runs")
FAULTY = [
    *("debug=tiny", "training.threads=1", "train_size=20", "model=timm", "model.module=faulty"),
    *("model.name=faulty", "model.label=${model.kwargs.how}"),
]
HOW_IT_ENDED = {
    "crashes": "RunDied: its process was ended by SIGSEGV",
    "exits": "RunDied: its process ended with exit status 3",
    "exits_well": "SystemExit: 0",
    "killed": "RunDied: its process was ended by SIGKILL, as the system does when memory runs out",
}
CNN = ["train", "-m", *TINY, "model=cnn", "train_size=20"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the module `faulty`."""
    shutil.copy(Path(__file__).with_name("faulty.py"), tmp_path)
    return tmp_path


def start(folder: Path, *arguments: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen([VISION, *arguments], cwd=folder, text=True, stderr=subprocess.PIPE, **options)


def end(process: subprocess.Popen[str], seconds: float = 200) -> str:
    """Its standard error, once it has ended."""
    return process.communicate(timeout=seconds)[1]


def wait_for(folder: Path, pattern: str, count: int = 1) -> None:
    deadline = time.monotonic() + 120
    while len(list(folder.rglob(pattern))) < count:
        assert time.monotonic() < deadline, f"{count} {pattern} did not appear"
        time.sleep(0.02)


@pytest.mark.parametrize("launcher", ["basic", *LAUNCHERS])
def test_a_run_that_ends_its_process_fails_alone(folder, launcher):
    faults = list(HOW_IT_ENDED)[: None if launcher == "basic" else 2]
    hows = ",".join(["works", *faults, "works_too"])
    sweep = ["train", "-m", *FAULTY, f"+model.kwargs.how={hows}", *launched_by(launcher)]
    process = start(folder, *sweep)
    errors = end(process)
    assert process.returncode == 1 and f"2 of {2 + len(faults)} runs" in errors, errors
    for how in faults:
        error = HOW_IT_ENDED[how]
        failure = json.loads((folder / SWEEP / how / "n20/s0/failure.json").read_text())
        assert failure["error"] == error
        assert f"failed: {SWEEP / how}/n20/s0: {error}" in errors
    assert json.loads((folder / SWEEP / "exits/n20/s0/failure.json").read_text())["exit_status"] == 3
    again = start(folder, *sweep)
    told = end(again)
    assert f"2 finished before, {len(faults)} failed before" in told and again.returncode == 1
    assert not list(folder.rglob("*.partial-*"))


def test_two_processes_share_a_sweep(tmp_path):
    sweep = [*CNN, "seed=range(10)", "training.steps=150"]
    processes = [start(tmp_path, *sweep) for _ in range(2)]
    errors = [end(process) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    trained = [re.findall(r"seed=(\d+): test accuracy .* after", text) for text in errors]
    assert sorted(trained[0] + trained[1], key=int) == [str(seed) for seed in range(10)], "each run once"
    assert all(trained), "each process did some"
    assert all("10 of 10 runs finished" in text for text in errors)


def test_the_run_of_a_process_that_dies_is_taken_over_by_the_other(tmp_path):
    sweep = [*CNN, "seed=0,1", "training.steps=1500", "training.num_evaluations=50"]
    first = start(tmp_path, *sweep)
    wait_for(tmp_path, "*.partial-*/metrics.jsonl")
    second = start(tmp_path, *sweep)
    wait_for(tmp_path, "s1.partial-*/metrics.jsonl")
    first.kill()
    assert end(second) and second.returncode == 0
    first.communicate()
    assert len(list(tmp_path.rglob("result.json"))) == 2 and not list(tmp_path.rglob("*.partial-*"))


def test_the_run_of_another_host_that_dies_is_taken_over_by_the_sweep(tmp_path):
    needs_other_host()
    sweep = [*CNN, "seed=0,1", "training.steps=1500", "training.checkpoint_minutes=0.01"]
    environment = {**os.environ, "VISION_SILENT_SECONDS": "5"}
    first = subprocess.Popen(
        [*OTHER_HOST, VISION, *sweep], cwd=tmp_path, stderr=subprocess.DEVNULL, env=environment
    )
    wait_for(tmp_path, ".s0.checkpoint/state")
    first.kill()
    first.wait()
    second = start(tmp_path, *sweep, env=environment)
    errors = end(second)
    assert second.returncode == 0, errors
    record = json.loads((tmp_path / SWEEP / "CNN/n20/s0/result.json").read_text())
    assert len(record["continued_after"]) == 1 and not list(tmp_path.rglob("*.partial-*"))


@pytest.mark.parametrize("launcher", ["basic", "local"])
def test_ctrl_c_ends_in_one_line_and_leaves_nothing(tmp_path, launcher):
    sweep = [*CNN, "seed=0,1,2", "training.steps=200000", f"hydra/launcher={launcher}"]
    process = start(tmp_path, *sweep, start_new_session=True)
    wait_for(tmp_path, "*.partial-*/lock.json")
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    lines = end(process, 60).splitlines()
    assert process.returncode == 130
    assert [line for line in lines if "interrupted" in line] == [lines[-1]]
    assert len(lines) <= 3 and "Traceback" not in "".join(lines), lines
    assert not list(tmp_path.rglob("*.partial-*")) and not list(tmp_path.rglob("failure.json"))


def test_a_full_disk_stops_the_sweep_and_loses_no_training(folder):
    small_disk = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*small_disk, "mount -t tmpfs -o size=1m none /mnt"], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    sweep = f"{VISION} train -m {' '.join(FAULTY)} +model.kwargs.how=fills,works,works_too".replace(
        "$", r"\$"
    )
    script = f"""
        mount -t tmpfs -o size=5m none {folder} && cd {folder} && cp {Path(__file__).with_name("faulty.py")} .
        export PYTHONDONTWRITEBYTECODE=1
        {sweep}; echo "status $?"; ls -d {SWEEP}/*/n20/s0*; rm filler
        {sweep}; echo "status $?"
        rm -r outputs; head -c 4500000 /dev/zero > filler; {sweep}; echo "status $?"; ls
    """
    done = subprocess.run([*small_disk, script], capture_output=True, text=True)
    assert "fills n=20 seed=0: test accuracy" in done.stderr, "what was trained is kept"
    assert "stopped: no space left on the disk of" in done.stderr
    words = done.stdout.split()
    assert words[:3] == ["status", "1", f"{SWEEP}/fills/n20/s0"], done.stderr
    assert words[3:5] == ["status", "0"] and "1 finished before, 2 to do" in done.stderr, done.stderr
    assert words[5:] == ["status", "2", "faulty.py", "filler"], done.stdout
    assert "the files of 3 runs need about 3." in done.stderr


def test_a_model_with_the_wrong_number_of_outputs_is_refused(folder, vision):
    sweep = [*FAULTY, "+model.kwargs.how=works,three_outputs"]
    refused = vision(folder, "train", "-m", *sweep)
    assert refused.returncode == 2, refused.stderr
    assert "must return one logit for each of the 10 classes, (1, 10), got (1, 3)" in refused.stderr
    assert not (folder / "outputs").exists()


def test_a_check_that_ends_its_process_is_told(folder, vision):
    (folder / "ending.py").write_text("import os; os._exit(5)")
    refused = vision(folder, "train", "-m", *FAULTY, "+model.kwargs.how=works", "model.module=ending")
    assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1
    assert "ended early: its process ended with exit status 5" in refused.stderr


def test_a_worker_ends_with_the_process_that_it_works_for(tmp_path):
    code = """
import os, sys, time
from vision.cli.worker import shared_worker
print(shared_worker().call(os.getpid), flush=True)
sys.stdin.readline()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
