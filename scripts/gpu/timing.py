"""Seconds of alternatives that take turns on one device, with their median, quartiles and ratios.

>>> device = torch.device("cpu")
>>> taken = in_turns({"sum": lambda: torch.ones(9).sum()}, device, rounds=3, seconds=0.1)
>>> summary(taken["sum"])["n"]
3
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

Step = Callable[[], Any]
Row = dict[str, Any]
WARM_UP = 3
ROUND_SECONDS = 0.05  # long enough that one event or clock reading costs nothing
MAX_CALLS = 200


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_turns(
    steps: dict[str, Step],
    device: torch.device,
    *,
    rounds: int,
    seconds: float = 10.0,
    round_seconds: float = ROUND_SECONDS,
) -> dict[str, list[float]]:
    """Return the seconds per call of each step in each round.

    Each step is warmed up, then called as often in a round as fills `round_seconds`. On CUDA a round is
    measured between two events on the current stream, with nothing left to do before the first.

    Args:
        steps: the alternatives; they take turns, so that a change of clocks meets all of them.
        device: where they run.
        rounds: turns of each.
        seconds: no round begins once these are spent, but for the first.
        round_seconds: length of one round of one step.
    """
    calls = {name: _calls(step, device, round_seconds) for name, step in steps.items()}
    taken: dict[str, list[float]] = {name: [] for name in steps}
    start = time.perf_counter()
    for turn in range(rounds):
        if turn and time.perf_counter() - start > seconds:
            break
        for name, step in steps.items():
            taken[name].append(_seconds(step, calls[name], device) / calls[name])
    return taken


def summary(seconds: Sequence[float], *, scale: float = 1e3, unit: str = "ms") -> Row:
    """Return median, quartiles and n of the rounds of one step."""
    low, median, high = quartiles(seconds)
    return {unit: scale * median, "low": scale * low, "high": scale * high, "n": len(seconds)}


def ratio(one: Sequence[float], other: Sequence[float]) -> Row:
    """Return the median and the quartiles of one step's seconds over another's, round by round."""
    low, median, high = quartiles([a / b for a, b in zip(one, other, strict=True)])
    return {"ratio": median, "ratio_low": low, "ratio_high": high}


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def _calls(step: Step, device: torch.device, round_seconds: float) -> int:
    for _ in range(WARM_UP):
        step()
    synchronize(device)
    return max(1, min(MAX_CALLS, round(round_seconds / max(1e-6, _seconds(step, 1, device)))))


def _seconds(step: Step, calls: int, device: torch.device) -> float:
    synchronize(device)
    if device.type != "cuda":
        start = time.perf_counter()
        for _ in range(calls):
            step()
        return time.perf_counter() - start
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(calls):
        step()
    end.record()
    synchronize(device)
    return begin.elapsed_time(end) / 1e3
