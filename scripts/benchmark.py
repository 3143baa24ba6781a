"""Measure what each part costs next to its alternatives, as ratios: `python scripts/benchmark.py`.

The alternatives of a case take turns in one process. A ratio is the median over the turns of the ratios
within a turn, so a busy machine disturbs both sides equally. Times are CPU time on one thread unless a
column is called wall. Below a section's cases are the figures that have a goal, each met or missed.
A section is a function from rounds to Section in its own file in benchmarks/. Its name is in SECTIONS.

    python scripts/benchmark.py --sections attention,step --rounds 15 --json benchmark.json
"""

import argparse
import json
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import torch
from benchmarks.turns import Row, Section, say
from rich.console import Console
from rich.table import Table

from vision.provenance import cpu_model

# Each is a function of that name in a file of that name, loaded when it is needed.
SECTIONS = ("attention", "convolution", "length", "convert", "step", "start", "skip", "sweep", "report")


def machine() -> Row:
    """Return what a number depends on besides the code: versions, commit, processor."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _git("rev-parse", "--short", "HEAD")
        + ("+" if _git("status", "--porcelain", "vision") else ""),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "timm": version("timm"),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "float32 matmul": torch.get_float32_matmul_precision(),
    }


def main() -> None:
    """Run the chosen sections, print their tables, and write them to the file of --json."""
    parser = argparse.ArgumentParser(description="Measure ratios of cost; see the module's docstring.")
    parser.add_argument(
        "--sections", default=",".join(SECTIONS), help="comma-separated; default: %(default)s"
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="turns of each alternative; fewer if they are slow"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine and rows as JSON")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.sections.split(",") if name not in SECTIONS]:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    torch.set_num_threads(1)
    console, about = Console(width=None if os.isatty(1) else 160), machine()
    console.print(", ".join(f"{name} {value}" for name, value in about.items()))
    results: dict[str, Section] = {}
    for name in chosen.sections.split(","):
        say(f"{name} ...")
        begun = time.perf_counter()
        results[name] = getattr(import_module(f"benchmarks.{name}"), name)(chosen.rounds)
        console.print(_table(name, results[name].cases))
        if results[name].goals:
            console.print(_table(f"{name}: goals", results[name].goals))
        say(f"{name} took {time.perf_counter() - begun:.0f} s")
    if chosen.json:
        sections = {name: section._asdict() for name, section in results.items()}
        chosen.json.write_text(json.dumps({"machine": about, "rounds": chosen.rounds, **sections}, indent=1))


def _table(title: str, rows: list[Row]) -> Table:
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()))
    return table


def _git(*arguments: str) -> str:
    root = Path(__file__).parents[1]
    return subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
    ).stdout.strip()


if __name__ == "__main__":
    main()
