"""What is left by killed and superseded runs is listed and removed; nothing else is."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from held_runs import holder
from written_runs import write_run

from vision import results


def test_dead_attempts_go_and_live_ones_stay(small_run):
    sweep = Path(small_run.output_dir) / small_run.sweep
    with holder(small_run) as dead, holder(replace(small_run, seed=1)):
        os.kill(dead.process.pid, signal.SIGKILL)
        dead.process.wait()
        finished = write_run(replace(small_run, seed=2))
        found = results.leftovers(sweep, results.Watch())
        assert [(leftover.path.name, leftover.what) for leftover in found] == [
            ("s0.partial-1", f"left by process {dead.process.pid} on {os.uname().nodename}, which has ended")
        ]
        for leftover in found:
            leftover.remove()
        assert sorted(path.name for path in finished.parent.iterdir()) == ["s1.partial-1", "s2"]


def test_runs_that_nobody_asks_for_any_more_are_explained_and_removed(small_run):
    sweep = Path(small_run.output_dir) / small_run.sweep
    runs = [replace(small_run, seed=seed) for seed in range(4)]
    folders = [results.run_folder(run) for run in runs]
    results.write_plan(sweep, folders, whole=True)
    write_run(runs[0])
    for run in runs[1:3]:
        with pytest.raises(ZeroDivisionError), results.atomic_run_folder(results.run_folder(run), run):
            raise ZeroDivisionError
    (folders[2] / "notes.txt").touch()
    results.write_plan(sweep, [folders[0]], whole=True)
    assert results.status(sweep)["missing"] == []
    assert results.runs_not_in_plan(sweep) == ["CNN/n60/s1", "CNN/n60/s2", "CNN/n60/s3"]
    for leftover in results.leftovers(sweep, results.Watch()):
        leftover.remove()
    assert results.runs_not_in_plan(sweep) == [] and results.leftovers(sweep, results.Watch()) == []
    assert folders[0].exists() and not folders[1].exists()
    assert [path.name for path in folders[2].iterdir()] == ["notes.txt"]


def test_a_single_run_is_added_to_the_plan_and_a_sweep_replaces_it(small_run):
    sweep = Path(small_run.output_dir) / small_run.sweep
    folders = [results.run_folder(replace(small_run, seed=seed)) for seed in range(3)]
    results.write_plan(sweep, folders[:2], whole=True)
    results.write_plan(sweep, folders[2:])
    assert results.read_plan(sweep).runs == ["CNN/n60/s0", "CNN/n60/s1", "CNN/n60/s2"]
    results.write_plan(sweep, folders[1:2], whole=True)
    plan = results.read_plan(sweep)
    assert (plan.runs, plan.earlier) == (["CNN/n60/s1"], ["CNN/n60/s0", "CNN/n60/s2"])
