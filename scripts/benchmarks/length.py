"""Whole mixers as the number of tokens grows: attention in windows and full, and recurrence.

Every step takes 16,384 tokens of width 64, forward and backward, in as many sequences as that makes: 64 of
256 tokens, one of 16,384. So what a token costs says how a mixer grows, and how much it needs many sequences.
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
    """Five mixers at 256 to 16,384 tokens; memory and two threads in processes of their own."""
    apart = _own_processes()
    rows = [row for name in KINDS for row in _rows(name, rounds, apart)]
    cost = {(row["mixer"], row["tokens"]): row for row in rows}
    goals = []
    for name in LINEAR:
        far = max(cost[name, side**2]["per token over 1,024"] for side in SIDES if side > BASE)
        goals.append(goal(f"{name}: cost per token, 1,024 to 16,384 tokens", far, "<= 1.2"))
    for side in SIDES:
        attention, recurrence = (cost[name, side**2] for name in (ATTENTION, RECURRENCE))
        over = attention["ms per 1,000"] / recurrence["ms per 1,000"]
        goals.append(goal(f"{ATTENTION} over {RECURRENCE}, {side**2:,} tokens: time", over))
    return Section(rows, goals)


def _rows(name: str, rounds: int, apart: dict[tuple[str, int], tuple[float, float]]) -> list[Row]:
    say(f"  {name}")
    together = {side: partial(step, *prepared(name, side)) for side in SIDES}
    taken = times({str(side): run for side, run in together.items()}, rounds, seconds=20)
    alone = {side: partial(step, *prepared(name, side, sequences=1)) for side in SIDES[:-1]}
    single = times({str(side): run for side, run in alone.items()}, 3 * rounds)
    rows = [_row(name, side, taken, taken | single) for side in SIDES]
    columns = ("MiB", "2 threads: times faster, wall")
    return [
        {**row, **dict(zip(columns, apart[name, side], strict=True))}
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


def _own_processes() -> dict[tuple[str, int], tuple[float, float]]:
    """Memory and the gain of a second thread, by length_run.py, of each mixer and length."""
    say("  memory and threads")
    command = [sys.executable, str(ROOT / "scripts" / "benchmarks" / "length_run.py"), *map(str, SIDES)]
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return {(name, side): (mib, faster) for name, side, mib, faster in json.loads(done.stdout)}
