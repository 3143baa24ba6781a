"""Mixers as the number of tokens grows: attention in windows, full attention, and recurrence.

Every step has 16,384 tokens of width 64, forward and backward, from 64 sequences of 256 tokens to one of
16,384. So the cost per token shows how a mixer scales, and how much it needs many sequences.
"""

import json
import os
import statistics
import subprocess
import sys
from functools import partial

from benchmarks.length_run import KINDS, TOKENS, prepared, step
from benchmarks.turns import ROOT, Row, Section, goal, ratio, say, times

SIDES = (16, 32, 64, 128)
BASE = 32  # the grid whose cost per token is 1, for the goals and the table
LINEAR = ("truncated attention, window 9", "local attention, 3x3")
ATTENTION, RECURRENCE = "self-attention", "LSTM, one sequence"


def length(rounds: int) -> Section:
    """Measure five mixers at 256 to 16,384 tokens; memory and two threads in separate processes."""
    separate = _separate_processes()
    rows = [row for name in KINDS for row in _rows(name, rounds, separate)]
    cost = {(row["mixer"], row["tokens"]): row for row in rows}
    goals = []
    for name in LINEAR:
        growth = max(cost[name, side**2]["per token over 1,024"] for side in SIDES if side > BASE)
        goals.append(goal(f"{name}: cost per token, 1,024 to 16,384 tokens", growth, "<= 1.2"))
    for side in SIDES:
        attention, recurrence = (cost[name, side**2] for name in (ATTENTION, RECURRENCE))
        over = attention["ms per 1,000"] / recurrence["ms per 1,000"]
        goals.append(goal(f"{ATTENTION} over {RECURRENCE}, {side**2:,} tokens: time", over))
    return Section(rows, goals)


def _rows(name: str, rounds: int, separate: dict[tuple[str, int], tuple[float, float]]) -> list[Row]:
    say(f"  {name}")
    together = {side: partial(step, *prepared(name, side)) for side in SIDES}
    taken = times({str(side): run for side, run in together.items()}, rounds, seconds=20)
    alone = {side: partial(step, *prepared(name, side, sequences=1)) for side in SIDES[:-1]}
    single = times({str(side): run for side, run in alone.items()}, 3 * rounds)
    rows = [_row(name, side, taken, taken | single) for side in SIDES]
    columns = ("MiB", "2 threads: times faster, wall")
    return [
        {**row, **dict(zip(columns, separate[name, side], strict=True))}
        for row, side in zip(rows, SIDES, strict=True)
    ]


def _row(name: str, side: int, taken: dict[str, list[float]], single: dict[str, list[float]]) -> Row:
    seconds = statistics.median(taken[str(side)])
    return {
        "mixer": name,
        "tokens": side**2,
        "sequences": TOKENS // side**2,
        "ms per 1,000": 1e6 * seconds / TOKENS,
        "tokens per s": TOKENS / seconds,
        "per token over 1,024": ratio(taken[str(side)], taken[str(BASE)]),
        "1 sequence, ms per 1,000": 1e6 * statistics.median(single[str(side)]) / side**2,
    }


def _separate_processes() -> dict[tuple[str, int], tuple[float, float]]:
    """Return memory and the gain of a second thread of each mixer and length, by length_run.py."""
    say("  memory and threads")
    command = [sys.executable, str(ROOT / "scripts" / "benchmarks" / "length_run.py"), *map(str, SIDES)]
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return {(name, side): (mib, faster) for name, side, mib, faster in json.loads(done.stdout)}
