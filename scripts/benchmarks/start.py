"""Start-up times: imports, help, the settings, and the first step of a run."""

import statistics
import sys
from tempfile import TemporaryDirectory

from benchmarks.turns import VISION, Row, Seconds, Section, ratio, run_processes, say

REPEATS = 2
# The run ends at its first progress report, after the first step.
FIRST_STEP = """
import os, sys
from vision.cli import main
from vision.cli.train import progress
progress.Progress.__call__ = lambda *_: os._exit(0)
sys.exit(main() or 1)
"""
LIBRARIES = "import torch, timm"


def start(rounds: int) -> Section:
    """Measure whole processes in turns, next to importing torch and timm alone. No goal is set."""
    with TemporaryDirectory() as folder:
        commands = {
            LIBRARIES: (sys.executable, "-c", LIBRARIES),
            "import vision": (sys.executable, "-c", "import vision"),
            "vision --help": (*VISION, "--help"),
            "vision train --cfg job": (*VISION, "train", "--cfg", "job"),
            "first step of a run": (
                *(sys.executable, "-c", FIRST_STEP, "train", "debug=tiny", "data=digits"),
                f"output_dir={folder}",
            ),
        }
        taken: dict[str, list[Seconds]] = {name: [] for name in commands}
        for turn in range(min(rounds, REPEATS)):
            say(f"  turn {turn + 1}")
            for name, command in commands.items():
                taken[name].append(run_processes([command]))
    rows = [_row(name, seconds, taken[LIBRARIES]) for name, seconds in taken.items()]
    return Section(rows, [])


def _row(name: str, seconds: list[Seconds], libraries: list[Seconds]) -> Row:
    return {
        "command": name,
        "wall s": statistics.median(s.wall for s in seconds),
        "CPU s": statistics.median(s.cpu for s in seconds),
        f"CPU over {LIBRARIES}": ratio((s.cpu for s in seconds), (s.cpu for s in libraries)),
        "n": len(seconds),
    }
