"""scripts/benchmark.py: it runs, says which goals are met, and refuses a section it lacks."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "benchmark.py"


def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )


def test_a_section_prints_its_cases_and_its_goals(tmp_path):
    done = benchmark("--sections", "step", "--rounds", "1", "--json", str(tmp_path / "found.json"))
    assert done.returncode == 0, done.stderr
    assert "field_cnn" in done.stdout and "<= 1.05" in done.stdout and "cores" in done.stdout
    assert "step took" in done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["machine"]["threads"] == 1 and len(found["step"]["cases"]) == 4
    assert {g["verdict"] for g in found["step"]["goals"]} <= {"met", "missed"}
    assert all(0.5 < case["over bare"] < 3 for case in found["step"]["cases"])


def test_an_unknown_section_is_refused_with_the_list():
    done = benchmark("--sections", "step,speed")
    assert done.returncode == 2
    sections = "attention, convolution, convert, step, start, skip, sweep"
    assert f"no section speed; there are {sections}" in done.stderr
