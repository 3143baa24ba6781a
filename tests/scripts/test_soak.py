"""The ledger of the soak: it must notice a lost record, a run done twice, and a run that differs."""

import json
from pathlib import Path

import pytest
from soak import table
from soaking.ledger import EQUAL_FILES, Ledger, differences, done_twice
from soaking.rounds import Outcome
from soaking.sweep import RUNS


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two finished runs."""
    for seed in (0, 1):
        finish(tmp_path / "sweep", seed)
    return tmp_path / "sweep"


def finish(sweep: Path, seed: int, **record) -> Path:
    run = sweep / "CNN" / "n20" / f"s{seed}"
    run.mkdir(parents=True, exist_ok=True)
    for name in EQUAL_FILES:
        (run / name).write_bytes(b"%d" % seed)
    (run / "result.json").write_text(json.dumps({"test_accuracy": 0.5, "host": "north"} | record))
    return run


def test_a_record_that_goes_or_changes_is_lost(sweep):
    ledger = Ledger(sweep)
    assert ledger.look() == 2 and not ledger.lost
    finish(sweep, 2)
    assert ledger.look() == 3 and not ledger.lost
    (sweep / "CNN/n20/s0/result.json").unlink()
    finish(sweep, 1, test_accuracy=0.6)
    assert ledger.look() == 2 and ledger.lost == ["CNN/n20/s0", "CNN/n20/s1"]


def test_runs_done_twice_are_counted_over_all_processes(tmp_path):
    done = "CNN n=20 seed={}: test accuracy 0.500 after 1.0 s [1/2]\n"
    (tmp_path / "0.log").write_text(done.format(0) + "CNN n=20 seed=1: test accuracy 0.5 finished before\n")
    (tmp_path / "1.log").write_text(done.format(1) + done.format(0))
    assert done_twice(tmp_path.glob("*.log")) == ["CNN n=20 seed=0"]


def test_every_bit_of_a_run_is_compared_but_not_where_and_when(sweep, tmp_path):
    for seed in (0, 1):
        finish(tmp_path / "uncut", seed, host="south")
    assert differences(sweep, tmp_path / "uncut") == []
    (sweep / "CNN/n20/s0/model.safetensors").write_bytes(b"1")
    finish(sweep, 1, test_accuracy=0.5000000001)
    finish(tmp_path / "uncut", 2)
    assert differences(sweep, tmp_path / "uncut") == [
        "CNN/n20/s2 is missing",
        "CNN/n20/s0/model.safetensors differs",
        "CNN/n20/s1: test_accuracy differs",
    ]


def test_a_round_is_sound_only_with_all_runs_and_nothing_else():
    assert Outcome(finished=RUNS).is_sound
    assert not Outcome(finished=RUNS - 1).is_sound and not Outcome(finished=RUNS, lost=["a"]).is_sound
    shown = table([("one process", Outcome(finished=RUNS, faults={"pause": 2}, twice=["a"]))])
    assert "| one process | 1 | 12 | 2 | 0 | 1 | 0 | 0 |" in shown and "Faults: 2 pause." in shown
