"""`vision status`: how many runs of a sweep are finished, failed, running and missing, and why they failed.

vision status outputs/data_size-digits --watch
"""

import argparse
import time
from pathlib import Path

from vision import results
from vision.cli.console import console, print_line

SECONDS_BETWEEN_LOOKS = 2.0
MOST_LINES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision status`."""
    parser.epilog = "example: vision status outputs/data_size-digits --watch"
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a sweep")
    watch = "show a table of the runs by model and size, and update it until all are finished"
    parser.add_argument("--watch", action="store_true", help=watch)
    parser.add_argument("--all", action="store_true", dest="every", help="list every run, not the first few")


def status(folder: Path, *, watch: bool = False, every: bool = False) -> int:
    """Print the number of runs in each state, those that are not finished, and how many need more steps.

    Args:
        folder: the sweep's.
        watch: show a table, and renew it until no run is left; ends with Ctrl-C.
        every: list all runs of a state; otherwise the first 20.

    Returns:
        0 if all runs are finished, otherwise 1.

    Raises:
        FileNotFoundError: it is not the folder of a sweep, or has no run.
    """
    results.check_sweep_folder(folder)
    states = results.status(folder)
    if not any(states.values()):
        raise FileNotFoundError(
            f"there is no run below {folder.absolute()}; give the folder of a sweep, such as outputs/NAME"
        )
    if watch:
        states = _watch(folder, states)
    print_line(", ".join(f"{len(runs)} {state}" for state, runs in states.items() if _counts(state, runs)))
    for line in _lines(folder, states, MOST_LINES if not every else None):
        print_line(line)
    return int(any(runs for state, runs in states.items() if state != "finished"))


def _counts(state: str, runs: list[str]) -> bool:
    return bool(runs) or state != "damaged"


def _lines(folder: Path, states: dict[str, list[str]], most: int | None) -> list[str]:
    """Return a line for each run that is not finished, with what is known of it."""
    damages = results.damages(folder) if states["damaged"] else {}
    texts = {
        "failed": [f"{folder / run}: {results.why_failed(folder / run)}" for run in states["failed"][:most]],
        "running": [_running(folder, run) for run in states["running"][:most]],
        "missing": [str(folder / run) for run in states["missing"][:most]],
        "damaged": [f"{folder / run}: {damages.get(run, '')}" for run in states["damaged"][:most]],
    }
    lines: list[str] = []
    for state, shown in texts.items():
        lines += [f"{state}: {text}" for text in shown]
        if more := len(states[state]) - len(shown):
            lines.append(f"{state}: and {more} more; --all lists them")
    if states["failed"] or states["damaged"]:
        lines.append("retry_failed=true, given to the sweep's command, runs failed and damaged runs again")
    signs = [f"{sign} in {n}" for sign, n in results.count_undertrained(folder).items() if n]
    if signs:
        finished = len(states["finished"])
        lines.append(f"of {finished} finished runs: {', '.join(signs)}; a longer budget may change them")
    for text, count in results.count_unreadable(folder).items():
        lines.append(f"of {len(states['finished'])} finished runs, {count} skipped {text}")
    if dropped := results.runs_not_in_plan(folder):
        lines.append(
            f"{len(dropped)} runs were planned earlier, such as {dropped[0]}, and are not in the sweep as "
            f"last issued; `vision clean {folder}` removes what they left"
        )
    return lines


def _running(folder: Path, run: str) -> str:
    now = results.progress_of(folder / run)
    silent = f", no sign of life for {now.silent:.0f} s" if now.silent > results.silent_seconds() else ""
    return f"{folder / run}: {now}{silent}"


def _watch(folder: Path, states: dict[str, list[str]]) -> dict[str, list[str]]:
    from rich.live import Live

    from vision.cli.status_table import StatusTable

    table = StatusTable(folder)
    try:
        with Live(table.render(states), console=console(), auto_refresh=False) as live:
            while states["missing"] or states["running"]:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                states = results.status(folder)
                live.update(table.render(states), refresh=True)
    except KeyboardInterrupt:
        pass
    return states
