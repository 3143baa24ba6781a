"""The cost of a finished run when its sweep is run again: the whole command, and each further run."""

import statistics
from tempfile import TemporaryDirectory

from benchmarks.turns import VISION, Row, Seconds, Section, goal, run_processes, say

REPEATS = 3
MANY = 12
SMALLEST = ("debug=tiny", "data=digits", "training.steps=1", "training.threads=1")
ONE = ("model=identity", "train_size=50", "seed=0")
# Configs that differ only in seed and train_size are composed once. Otherwise each is composed.
KINDS = {
    "by seed": (*ONE[:2], f"seed=range({MANY})"),
    "by learning rate": (
        *ONE,
        "training.lr=" + ",".join(f"{lr}e-4" for lr in range(1, MANY + 1)),
        "sweep='lr-${training.lr}'",
    ),
}


def skip(rounds: int) -> Section:
    """Measure sweeps of 12 finished runs, and one of 1, run again in turns."""
    sweeps = {"one": ONE, **KINDS}
    with TemporaryDirectory() as folder:
        commands = {
            name: (*VISION, "train", "-m", *SMALLEST, f"output_dir={folder}", *more)
            for name, more in sweeps.items()
        }
        say("  training the runs to be skipped")
        run_processes(list(commands.values()))
        taken: dict[str, list[Seconds]] = {name: [] for name in commands}
        for turn in range(min(rounds, REPEATS)):
            say(f"  turn {turn + 1}")
            for name, command in commands.items():
                taken[name].append(run_processes([command]))
    rows = [_row(name, 1 if name == "one" else MANY, taken) for name in commands]
    goals = [goal(f"one run more, {r['sweep']}: s", r["CPU s per further run"], "<= 0.05") for r in rows[1:]]
    whole = goal(f"running {MANY} finished runs again, start included: s", rows[1]["wall s"])
    return Section(rows, [*goals, whole])


def _row(name: str, runs: int, taken: dict[str, list[Seconds]]) -> Row:
    """Return a table row; the cost of further runs is the median of the differences within a turn."""
    more = [many.cpu - one.cpu for many, one in zip(taken[name], taken["one"], strict=True)]
    return {
        "sweep": name,
        "runs": runs,
        "wall s": statistics.median(s.wall for s in taken[name]),
        "CPU s": statistics.median(s.cpu for s in taken[name]),
        "CPU s per further run": statistics.median(more) / (runs - 1) if runs > 1 else "",
        "n": len(more),
    }
