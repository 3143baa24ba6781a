"""A run is computed by one process at a time: locks of live, killed, stopped and far processes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from held_runs import OTHER_HOST, holder, needs_other_host

from vision import results
from vision.results.files import LOCK
from vision.results.process import this_process


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of another host counts as dead after a second and a half without a sign of life."""
    monkeypatch.setenv("VISION_SILENT_SECONDS", "1.5")


def claim_until_free(folder: Path, *, seconds: float = 10) -> float:
    """Claim a run as soon as it is free; returns how long that took."""
    watch, start = results.Watch(), time.monotonic()
    while time.monotonic() - start < seconds:
        try:
            with results.claim_run(folder, watch):
                return time.monotonic() - start
        except results.RunInProgress:
            time.sleep(0.05)
    raise AssertionError(f"{folder} stayed in progress for {seconds} s")


def test_a_live_process_is_left_its_run_whatever_the_clocks_say(small_run):
    folder = results.run_folder(small_run)
    with holder(small_run) as other:
        [attempt] = results.attempts(folder)
        for age in (-365 * 86400, 365 * 86400):
            moment = time.time() + age
            for path in (attempt, attempt / LOCK, folder.parent):
                os.utime(path, (moment, moment))
            named = pytest.raises(results.RunInProgress, match=f"process {other.process.pid} on ")
            with named, results.claim_run(folder):
                pytest.fail("it began")
        assert other.finish() == "finished\n"
    assert results.read_result(folder)["test_accuracy"] == 0.7
    assert [path.name for path in folder.parent.iterdir()] == ["s0"]


def test_what_a_killed_process_left_is_taken_over_at_once(small_run):
    folder = results.run_folder(small_run)
    with holder(small_run) as other:
        os.kill(other.process.pid, signal.SIGKILL)
        other.process.wait()
        assert results.attempts(folder) and results.status(folder.parents[2])["running"] == []
        with results.claim_run(folder) as held:
            assert results.attempts(folder) == [held.folder] and held.folder.name == "s0.partial-2"
    assert list(folder.parent.iterdir()) == []


def test_a_zombie_and_another_process_with_the_same_number_are_dead():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    here = this_process()
    assert here.is_alive()
    path = Path(f"/proc/{child.pid}/stat")
    started = path.read_text().rpartition(")")[2].split()[19]
    process = replace(here, pid=child.pid, started=started)
    assert process.is_alive()
    assert replace(process, started="1").is_alive() is False
    assert replace(process, boot="another boot").is_alive() is None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
    assert path.exists() and not process.is_alive()
    child.wait()


def test_of_two_processes_at_the_same_moment_one_gets_the_run(small_run):
    folder = results.run_folder(small_run)
    with results.claim_run(folder):
        named = pytest.raises(results.RunInProgress, match=f"process {os.getpid()} on ")
        with named, results.claim_run(folder):
            pytest.fail("it began")
    assert list(folder.parent.iterdir()) == []


def test_a_live_process_of_another_host_is_left_its_run(small_run, quick):
    needs_other_host()
    folder = results.run_folder(small_run)
    with holder(small_run, on=OTHER_HOST) as other:
        [attempt] = results.attempts(folder)
        assert json.loads((attempt / LOCK).read_text())["host"] == "other"
        watch, end = results.Watch(), time.monotonic() + 4
        while time.monotonic() < end:
            assert not watch.is_dead(attempt)
            time.sleep(0.1)
        assert results.status(folder.parents[2])["running"] == ["CNN/n60/s0"]
        assert other.finish() == "finished\n"


def test_a_dead_process_of_another_host_is_found_by_its_heartbeat(small_run, quick):
    needs_other_host()
    folder = results.run_folder(small_run)
    with holder(small_run, on=OTHER_HOST) as other:
        other.process.kill()
        other.process.wait()
        time.sleep(0.3)
        future = time.time() + 86400  # a wrong clock keeps nobody alive
        os.utime(results.attempts(folder)[0] / LOCK, (future, future))
        assert 1.4 < claim_until_free(folder) < 6


def test_a_run_that_was_taken_over_stops_and_destroys_nothing(small_run, quick):
    needs_other_host()
    folder = results.run_folder(small_run)
    with holder(small_run, on=OTHER_HOST) as other:
        children = subprocess.run(["pgrep", "-P", str(other.process.pid)], capture_output=True, text=True)
        stopped = int(children.stdout.split()[0])
        os.kill(stopped, signal.SIGSTOP)  # as a suspended machine
        assert claim_until_free(folder) > 1.4
        with results.atomic_run_folder(folder, small_run) as attempt:
            os.kill(stopped, signal.SIGCONT)
            assert other.finish().startswith("LockLost")
            attempt.check_now()
            record = {"label": "CNN", "train_size": 60, "seed": 0, "test_accuracy": 0.8}
            results.write_result(
                attempt.folder,
                record | {"config_sha256": results.fingerprint(small_run), "record_version": 4},
            )
    assert results.read_result(folder)["test_accuracy"] == 0.8
    assert [path.name for path in folder.parent.iterdir()] == ["s0"]


def test_a_lock_without_room_on_the_disk_is_told_and_leaves_no_folder(tmp_path):
    code = """
from pathlib import Path
from vision import results
try:
    with results.claim_run(Path("sweep/CNN/n20/s0")):
        print("claimed")
except results.DiskFull as error:
    print(error)
"""
    script = """
mount -t tmpfs -o size=64k none "$1" && cd "$1" || exit 77
head -c 1000000 /dev/zero > filler 2> /dev/null
"$2" -B -c "$3"
find sweep -name "*s0*"; rm filler; "$2" -B -c "$3"; find sweep -name "*s0*"
"""
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    done = subprocess.run([*alone, str(tmp_path), sys.executable, code], capture_output=True, text=True)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("mounting is not allowed here")
    told = "no space left on the disk of sweep/CNN/n20/s0\nclaimed\n"
    assert done.stdout == told, done.stderr


def test_folders_of_earlier_versions_are_watched_too(small_run, quick):
    folder = results.run_folder(small_run)
    folder.with_name("s0.partial-somewhere-77").mkdir(parents=True)
    with pytest.raises(results.RunInProgress, match="by another process, in "), results.claim_run(folder):
        pytest.fail("it began")
    assert claim_until_free(folder) > 1.4
    assert list(folder.parent.iterdir()) == []
