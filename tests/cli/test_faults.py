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
from commands import FAULTY, TINY, VISION
from held_runs import OTHER_HOST, needs_other_host
from launchers import LAUNCHERS, launched_by

pytestmark = pytest.mark.slow
SWEEP = Path("outputs/tiny/runs")
HOW_IT_ENDED = {
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


@pytest.fixture(scope="module")
def weights_alone(tmp_path_factory: pytest.TempPathFactory, vision) -> bytes:
    """The file of weights of the model that works, trained without a sweep."""
    folder = tmp_path_factory.mktemp("alone")
    shutil.copy(Path(__file__).with_name("faulty.py"), folder)
    assert vision(folder, "train", *FAULTY, "+model.kwargs.how=works").returncode == 0
    return (folder / SWEEP / "works/n20/s0/model.safetensors").read_bytes()


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


# test_launchers has the fault of a process of the launcher gpu.
@pytest.mark.parametrize("launcher", ["basic", *(name for name in LAUNCHERS if name != "gpu")])
def test_a_run_that_ends_its_process_fails_alone(folder, vision, weights_alone, launcher):
    hows = ["works", "killed", "exits_well", "works_too"] if launcher == "basic" else ["exits", "works"]
    faults = [how for how in hows if how in HOW_IT_ENDED]
    sweep = ["train", "-m", *FAULTY, f"+model.kwargs.how={','.join(hows)}", *launched_by(launcher)]
    process = start(folder, *sweep)
    errors = end(process)
    assert process.returncode == 1 and f"{len(hows) - len(faults)} of {len(hows)} runs" in errors, errors
    for how in faults:
        error = HOW_IT_ENDED[how]
        failure = json.loads((folder / SWEEP / how / "n20/s0/failure.json").read_text())
        assert failure["error"] == error and failure.get("exit_status") == {"exits": 3, "killed": -9}.get(how)
        assert f"failed: {SWEEP / how}/n20/s0: {error}" in errors
    again = vision(folder, *sweep)
    told = f"{len(hows) - len(faults)} finished before, {len(faults)} failed before"
    assert told in again.stderr and again.returncode == 1
    assert not list(folder.rglob("*.partial-*"))
    assert (folder / SWEEP / "works/n20/s0/model.safetensors").read_bytes() == weights_alone


def test_a_run_that_misuses_its_process_ends_alone(folder, vision):
    hows = ["interrupts", "untold", "loses_lock", "leaves", "works"]
    sweep = ["train", "-m", *FAULTY, f"+model.kwargs.how={','.join(hows)}"]
    done = vision(folder, *sweep, VISION_SILENT_SECONDS="2")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    finished = {path.parts[-4] for path in folder.rglob("result.json")}
    assert finished - {"loses_lock"} == {"leaves", "works"}, done.stderr
    assert f"failed: {SWEEP}/interrupts/n20/s0: KeyboardInterrupt: \n" in done.stderr
    assert f"failed: {SWEEP}/untold/n20/s0: Untold\n" in done.stderr
    assert "loses_lock/n20/s0 was taken over by another process" in done.stderr, "and not waited for"


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
    sweep = [*CNN, "seed=0", "training.steps=1500", "training.checkpoint_minutes=0.01"]
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


# All commands in one process, which imports torch once; each prints its status, and what lies there.
ON_A_SMALL_DISK = """
import os, shutil, sys
from pathlib import Path
tests, faulty, *sweep = sys.argv[1:]
sys.path.insert(0, tests)
from command_server import run
shutil.copy(faulty, ".")

def train():
    status, _, errors = run(sweep)
    print("status", status, *sorted(map(str, Path("outputs").glob("*/*/*/n20/s0*"))))
    print(errors, file=sys.stderr)

train()
Path("filler").unlink()
train()
shutil.rmtree("outputs")
Path("filler").write_bytes(bytes(4_500_000))
train()
print(*sorted(path.name for path in Path().iterdir()))
"""


def test_a_full_disk_stops_the_sweep_and_loses_no_training(tmp_path):
    small_disk = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*small_disk, "mount -t tmpfs -o size=1m none /mnt"], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    mount = 'mount -t tmpfs -o size=5m none "$1" && cd "$1" && shift && exec "$0" -c "$@"'
    files = [str(Path(__file__).parents[1]), str(Path(__file__).with_name("faulty.py"))]
    sweep = ["train", "-m", *FAULTY, "+model.kwargs.how=fills,works,works_too"]
    command = [*small_disk, mount, sys.executable, str(tmp_path), ON_A_SMALL_DISK, *files, *sweep]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "fills n=20 seed=0: test accuracy" in done.stderr, "what was trained is kept"
    assert "stopped: no space left on the disk of" in done.stderr
    runs = [str(SWEEP / how / "n20/s0") for how in ("fills", "works", "works_too")]
    full, again, refused, left = done.stdout.splitlines()
    assert full == f"status 1 {runs[0]}", done.stderr
    assert again == f"status 0 {' '.join(runs)}" and "1 finished before, 2 to do" in done.stderr, done.stderr
    assert (refused, left) == ("status 2", "faulty.py filler"), done.stdout
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
