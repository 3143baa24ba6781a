"""The benchmark's rows, each in its own process; the next one imports while the current one measures."""

import json
from collections.abc import Callable
from typing import Any

from gpu.log import Log
from gpu.process import TIMED_OUT, Clock, Process, python
from gpu.rows import ROWS

Row = dict[str, Any]
LEAST_SECONDS = 15  # a row that has less is not begun


def run_benchmark(
    clock: Clock,
    log: Log,
    *,
    device: str,
    tiny: bool,
    chosen: list[str],
    on_row: Callable[[list[Row]], None],
) -> list[Row]:
    """Run the rows in order until the clock ends; what fails is a row with its error.

    Args:
        clock: of the whole part.
        log: of all output.
        device: cuda or cpu.
        tiny: make everything small; the figures mean nothing.
        chosen: names of rows.
        on_row: called with all figures so far, after each row.
    """
    found: list[Row] = []
    waiting = {chosen[0]: _start(chosen[0], log, device, tiny)} if chosen else {}
    for name, following in zip(chosen, [*chosen[1:], None], strict=True):
        if clock.left < LEAST_SECONDS:
            found.append({"row": name, "error": "no time left"})
            continue
        process, figures = waiting.pop(name)
        if following:
            waiting[following] = _start(following, log, device, tiny)
        process.tell("go")
        status = process.wait(min(ROWS[name].seconds, clock.left))
        rows = [{"row": name, **figure} for figure in figures]
        if status != 0:
            how = TIMED_OUT if status is None else f"exit status {status}: {process.last_words}"
            rows.append({"row": name, "error": how})
        found += rows
        log.say("benchmark", f"{name}: {_words(rows)}")
        on_row(found)
    for process, _ in waiting.values():
        process.kill()
    return found


def _start(name: str, log: Log, device: str, tiny: bool) -> tuple[Process, list[Row]]:
    figures: list[Row] = []

    def answer(line: str) -> None:
        if line.startswith("{"):
            figures.append(json.loads(line))
        else:
            log.write(name, line)

    command = python("-m", "gpu.row", name, "--device", device, "--wait", *(["--tiny"] if tiny else []))
    return Process(command, name, log, answers=answer), figures


def _words(rows: list[Row]) -> str:
    parts = []
    for row in rows:
        label = " ".join(str(row[key]) for key in ("model", "what", "way") if key in row)
        if "error" in row:
            parts.append(f"{label} error: {row['error'].splitlines()[0][:100]}")
        elif "ratio" in row:
            parts.append(f"{label} {row['ratio']:.3g} x ({row['of']})")
        elif "share" in row:
            parts.append(f"{label} {row['share']:.0%} of the peak")
    return "; ".join(parts) or f"{len(rows)} figures"
