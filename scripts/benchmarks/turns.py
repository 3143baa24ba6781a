"""Measure alternatives in turns, and compare figures with their goals.

>>> ratio([2.0, 4.0], [1.0, 2.0])
2.0
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]
Step = Callable[[], Any]

ROOT = Path(__file__).parents[2]
VISION = (sys.executable, "-m", "vision")
LEAST_TURNS = 3


class Section(NamedTuple):
    """Results of a section: the rows of its table, and the figures that have a goal."""

    cases: list[Row]
    goals: list[Row]


class Seconds(NamedTuple):
    """Duration: wall time, and CPU time of the process with all its children."""

    wall: float
    cpu: float


def times(steps: dict[str, Step], rounds: int, *, seconds: float = 2.0) -> dict[str, list[float]]:
    """Return the seconds of CPU time of each step in each round; the steps take turns, after a warm-up.

    No round begins after `seconds` are spent, except for the first three (or `rounds`, if fewer).
    """
    taken: dict[str, list[float]] = {name: [] for name in steps}
    begun = time.process_time()
    for turn in range(rounds + 1):
        if turn > LEAST_TURNS and time.process_time() - begun > seconds:
            break
        for name, step in steps.items():
            start = time.process_time()
            step()
            if turn:
                taken[name].append(time.process_time() - start)
    return taken


def paired(one: Step, other: Step, rounds: int, *, seconds: float = 2.0, fill: float = 0.01) -> float:
    """Return the CPU time of one step over the other's: the median over turns of the order A B B A.

    So drift within a turn affects both equally. A short step is repeated until it fills `fill` seconds.
    No turn begins after `seconds` are spent, except for the first three (or `rounds`, if fewer).
    """
    repeats = {step: max(1, round(fill / max(_spent(step), 1e-6))) for step in (one, other)}
    scale, ratios, begun = repeats[other] / repeats[one], [], time.process_time()
    for turn in range(rounds):
        if turn >= LEAST_TURNS and time.process_time() - begun > seconds:
            break
        a, b, c, d = (_spent(step, repeats[step]) for step in (one, other, other, one))
        ratios.append(scale * (a + d) / (b + c))
    return statistics.median(ratios)


def ratio(one: Iterable[float], other: Iterable[float]) -> float:
    """Return the median of the paired ratios of two lists of times."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def goal(what: str, measured: float, bound: str | None = None) -> Row:
    """Return one figure next to its goal, such as "<= 1.05" or ">= 4"; None means no goal."""
    verdict = "" if bound is None else "met" if _holds(measured, bound) else "missed"
    return {"what": what, "measured": measured, "goal": bound or "", "verdict": verdict}


def run_processes(commands: Sequence[Sequence[str]], *, at_once: int = 1) -> Seconds:
    """Run the commands in the checkout, one thread each and `at_once` at a time, until all have ended.

    Raises:
        SystemExit: one of them failed; with the end of its output.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    cpu, wall = _children(), time.perf_counter()
    waiting, running = list(commands), []
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(_start(waiting.pop(0), environment))
        process = running.pop(0)
        output, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"{' '.join(process.args)} failed:\n{output[-2000:]}")
    return Seconds(time.perf_counter() - wall, _children() - cpu)


def say(text: str) -> None:
    """Print progress to stderr."""
    print(text, file=sys.stderr, flush=True)


def _spent(step: Step, repeats: int = 1) -> float:
    start = time.process_time()
    for _ in range(repeats):
        step()
    return time.process_time() - start


def _start(command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _holds(measured: float, bound: str) -> bool:
    sign, limit = bound.split()
    return measured <= float(limit) if sign == "<=" else measured >= float(limit)
