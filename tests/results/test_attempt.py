"""The end of an attempt: finished, failed, cut, or without room."""

import errno
import pickle
import subprocess
import sys

import numpy as np
import pytest
from written_runs import sealed, write_run

from vision import results
from vision.results.files import LOCK, RESERVED


def test_system_exit_is_a_failure_and_an_interrupt_is_not(small_run):
    folder = results.run_folder(small_run)
    with pytest.raises(SystemExit), results.atomic_run_folder(folder, small_run):
        sys.exit(0)
    assert results.why_failed(folder) == "SystemExit: 0"
    failed = results.load_failed(folder, small_run)
    assert failed is not None and "sys.exit(0)" in failed["traceback"]
    with pytest.raises(KeyboardInterrupt), results.atomic_run_folder(folder, small_run):
        raise KeyboardInterrupt
    assert results.why_failed(folder) == "SystemExit: 0" and len(list(folder.parent.iterdir())) == 1


def test_a_failure_of_another_config_does_not_count(small_run):
    folder = results.run_folder(small_run)
    with pytest.raises(ZeroDivisionError), results.atomic_run_folder(folder, small_run):
        raise ZeroDivisionError
    assert results.load_failed(folder, small_run)
    small_run.training.lr = 0.5
    assert results.load_failed(folder, small_run) is None


def test_files_of_others_in_a_runs_folder_are_never_deleted(small_run):
    folder = results.run_folder(small_run)
    with pytest.raises(ZeroDivisionError), results.atomic_run_folder(folder, small_run):
        raise ZeroDivisionError
    (folder / "notes.txt").write_text("why did it fail?")
    (folder / "figures").mkdir()
    (folder / "figures" / "loss.png").touch()
    write_run(small_run)
    assert (folder / "notes.txt").read_text() == "why did it fail?"
    assert (folder / "figures" / "loss.png").exists() and not (folder / results.FAILURE).exists()


def test_a_run_that_was_killed_just_before_it_got_its_name_is_finished(small_run):
    folder = results.run_folder(small_run)
    code = """
import os, pickle, sys
from vision import results
config = pickle.loads(bytes.fromhex(sys.argv[1]))
with results.atomic_run_folder(results.run_folder(config), config) as attempt:
    (attempt.folder / results.METRICS).write_text("{}")
    results.Checkpoint(results.run_folder(config)).write(b"its state after the last step")
    results.write_result(attempt.folder, {"label": "CNN", "train_size": 60, "seed": 0, "test_accuracy": 0.7,
        "record_version": 4, "config_sha256": results.fingerprint(config)})
    os._exit(9)
"""
    killed = subprocess.run([sys.executable, "-c", code, pickle.dumps(small_run).hex()])
    assert killed.returncode == 9 and not folder.exists()
    results.adopt_finished(folder)
    finished = results.load_finished(folder, small_run)
    assert finished is not None and finished["test_accuracy"] == 0.7
    assert not (folder / LOCK).exists() and [path.name for path in folder.parent.iterdir()] == ["s0"]


def test_a_full_disk_is_no_failure_of_the_run(small_run):
    folder = results.run_folder(small_run)
    with pytest.raises(results.DiskFull), results.atomic_run_folder(folder, small_run):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(folder.parent.iterdir()) == []


def test_room_is_reserved_before_training_and_given_back(small_run):
    folder = results.run_folder(small_run)
    with results.atomic_run_folder(folder, small_run) as attempt:
        results.reserve(attempt.folder, 3_000_000)
        assert (attempt.folder / RESERVED).stat().st_blocks * 512 >= 3_000_000
        with pytest.raises(results.DiskFull, match=r"no space left .* need about 1,000,000,000,000.0 MB"):
            results.reserve(attempt.folder, 10**18)
        results.release(attempt.folder)
        sealed(attempt.folder, small_run)
    assert not (folder / RESERVED).exists()


IN_A_FILE_SYSTEM_OF_40_FILES = """
import pickle, sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from vision import results
from vision.results.verification import verify_run

config = pickle.loads(bytes.fromhex(sys.argv[1]))
folder = results.run_folder(config)
with results.atomic_run_folder(folder, config) as attempt:
    results.reserve(attempt.folder, 1000)
    try:
        for number in count():
            Path(str(number)).touch()
    except OSError:
        pass
    results.append_metrics(attempt.folder, {"step": 1})
    results.release(attempt.folder)
    for name in (results.PREDICTIONS, results.LOGITS, "model.safetensors", "config.json"):
        (attempt.folder / name).touch()
    results.write_result(attempt.folder, {"label": "CNN", "train_size": 60, "seed": 0, "record_version": 4})
print(verify_run(folder))
with suppress(OSError):
    for number in count(number):
        Path(str(number)).touch()
try:
    results.check_room(folder, 1, "it")
except results.DiskFull as error:
    print(error)
"""


def test_a_file_system_full_of_files_loses_no_training(small_run):
    small_run.output_dir = "out"
    mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mounted = "mount -t tmpfs -o size=9m,nr_inodes=40 none /mnt && cd /mnt"
    if subprocess.run([*mount, mounted], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    command = [*mount, f'{mounted} && exec "$0" -c "$@"', sys.executable, IN_A_FILE_SYSTEM_OF_40_FILES]
    done = subprocess.run([*command, pickle.dumps(small_run).hex()], capture_output=True, text=True)
    sound, full = done.stdout.splitlines() or [done.stderr, ""]
    assert sound == "[]" and full.startswith("no space left on the disk of /mnt/out"), done.stderr
    assert "for more files" in full


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    results.check_writable(tmp_path / "new" / "folder", "output_dir")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "file" / "below", "/proc/outputs"):
        with pytest.raises(ValueError, match=r"output_dir must be a folder that can be written to, got /"):
            results.check_writable(tmp_path / wrong, "output_dir")


def test_an_altered_attempt_is_not_adopted(small_run):
    folder = results.run_folder(small_run)
    with results.atomic_run_folder(folder, small_run) as attempt:
        np.save(attempt.folder / results.LABELS, np.zeros(3))
        sealed(attempt.folder, small_run)
    left = folder.rename(folder.with_name("s0.partial-3"))
    (left / results.LABELS).write_bytes(b"cut")
    (left / LOCK).write_text('{"host": "x", "boot": "", "namespace": "", "pid": 1, "started": "0"}')
    results.adopt_finished(folder)
    assert not folder.exists()
