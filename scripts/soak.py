"""Sweeps under random kills, on full disks and on two hosts: is every run there, once, and the same?

    python scripts/soak.py --minutes 60 --out outputs/soak

A sweep of 12 small runs on digits is done once without a cut. It is then repeated, each time disturbed at
random by one of four scenarios: one process, two processes, two hosts, a small disk. A process that ends is
started again until all runs are finished. The report, soak.json in the folder --out, and a table on the
terminal count what was done and what came of it. The exit status is 1 if a round was not sound. Needs Linux
with user namespaces, for the other hosts and the small disk; one core is enough.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from soaking.rounds import SCENARIOS, Outcome, play
from soaking.sweep import SWEEP, SweepProcess

INSIDE = "VISION_SOAK_INSIDE"  # environment variable: this process may mount
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
BAD = ("lost", "twice", "different", "leftovers", "damaged", "tracebacks")


def main() -> int:
    """Play rounds until the time is up, and print the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60, help="how long to go on")
    parser.add_argument("--out", type=Path, default=Path("outputs/soak"), help="folder for runs and report")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and kinds of faults")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    options = parser.parse_args()
    if INSIDE not in os.environ:
        return subprocess.run(
            [*NAMESPACE, sys.executable, *sys.argv], env={**os.environ, INSIDE: "1"}
        ).returncode
    out: Path = options.out.absolute()
    if out.exists() and any(out.iterdir()):
        parser.error(f"--out must be a new or an empty folder, got {options.out}")
    uncut = _uncut(out)
    end, chance = time.monotonic() + 60 * options.minutes, random.Random(options.seed)
    outcomes: list[tuple[str, Outcome]] = []
    while time.monotonic() < end:
        name = options.scenarios[len(outcomes) % len(options.scenarios)]
        folder = out / f"round-{len(outcomes)}"
        outcome = play(SCENARIOS[name], folder, uncut, chance)
        outcomes.append((name, outcome))
        _write(out, outcomes)
        print(
            f"round {len(outcomes)}, {name}: {'sound' if outcome.is_sound else asdict(outcome)}", flush=True
        )
        if outcome.is_sound:  # otherwise it is kept to be looked at
            _remove(folder)
    print(table(outcomes))
    return int(not all(outcome.is_sound for _, outcome in outcomes))


def table(outcomes: list[tuple[str, Outcome]]) -> str:
    """Return a table in Markdown: one row per scenario, and one for all."""
    lines = [
        "| scenario | rounds | runs | faults | records lost | runs done twice | runs that differ | other |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for scenario in (*dict.fromkeys(name for name, _ in outcomes), "all"):
        chosen = [outcome for name, outcome in outcomes if scenario in (name, "all")]
        lost, twice, different = (sum(len(getattr(o, n)) for o in chosen) for n in BAD[:3])
        other = sum(len(getattr(outcome, name)) for outcome in chosen for name in BAD[3:])
        finished, faults = sum(o.finished for o in chosen), sum(sum(o.faults.values()) for o in chosen)
        cells = (scenario, len(chosen), finished, faults, lost, twice, different, other)
        lines.append(f"| {' | '.join(f'{cell}' for cell in cells)} |")
    faults = sum((Counter(outcome.faults) for _, outcome in outcomes), Counter[str]())
    counted = ", ".join(f"{count} {name}" for name, count in sorted(faults.items()))
    return "\n".join([*lines, "", f"Faults: {counted}."])


def _uncut(out: Path) -> Path:
    """Compute the sweep without a fault; returns its folder."""
    folder = out / "uncut"
    folder.mkdir(parents=True)
    process = SweepProcess(folder, out / "uncut.log")
    while process.status is None:
        time.sleep(0.5)
    if process.status:
        raise RuntimeError(f"the sweep fails without a fault: {process.log.read_text()}")
    return folder / SWEEP


def _write(out: Path, outcomes: list[tuple[str, Outcome]]) -> None:
    rounds = [{"scenario": name, **asdict(outcome)} for name, outcome in outcomes]
    (out / "soak.json").write_text(json.dumps(rounds, indent=1) + "\n")


def _remove(folder: Path) -> None:
    for path in (folder, folder.with_name(f"{folder.name}-disk")):
        shutil.rmtree(path, ignore_errors=True)
    for log in folder.parent.glob(f"{folder.name}-*.log"):
        log.unlink()


if __name__ == "__main__":
    sys.exit(main())
