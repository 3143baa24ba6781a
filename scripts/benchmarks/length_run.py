"""Each mixer at each length in a process that does nothing else: memory, and what a second thread spares.

OMP_WAIT_POLICY=PASSIVE python scripts/benchmarks/length_run.py 16 32 64 128
"""

import json
import multiprocessing
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vision.mixers import create_mixer
from vision.patches import Grid

DIM, TOKENS, TURNS = 64, 16_384, 5
FILL = 0.1  # seconds at least for each reading of the threads, as the kernel counts in milliseconds
LONG = 15  # seconds of CPU time after which a process begins no turn
# name -> the mixer's, and its arguments; four heads
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "truncated attention, window 9": ("truncated_attention", {"window": 9}),
    "local attention, 3x3": ("local_attention", {"kernel_size": 3}),
    "self-attention": ("self_attention", {}),
    "LSTM, one sequence": ("recurrent", {"order": "sequence"}),
    "LSTM, rows and columns": ("recurrent", {"order": "rows_and_columns"}),
}


def prepared(name: str, side: int, sequences: int | None = None) -> tuple[nn.Module, Tensor, Tensor]:
    """() -> the mixer on side x side tokens, its input (B, N, C), and a direction of the output's shape."""
    kind, arguments = KINDS[name]
    shape = (sequences or TOKENS // side**2, side**2, DIM)
    mixer = create_mixer(kind, DIM, Grid(side, side), **arguments)
    return mixer, torch.randn(shape).requires_grad_(), torch.randn(shape)


def step(mixer: nn.Module, x: Tensor, direction: Tensor) -> None:
    """Forward and backward, to the input and all parameters."""
    torch.autograd.grad(mixer(x), [x, *mixer.parameters()], direction)


def main() -> None:
    """For the sides of grids given, print [mixer, side, MiB, the most that two threads can spare] as JSON."""
    torch.set_num_threads(1)
    cases = [(name, int(side)) for name in KINDS for side in sys.argv[1:]]
    # Forked, so that torch is loaded once; each is a new process, in which nothing was computed before.
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        found = pool.starmap(_measured, cases, chunksize=1)
    print(json.dumps([[*case, *measured] for case, measured in zip(cases, found, strict=True)]))


def _measured(name: str, side: int) -> tuple[float, float]:
    step(*prepared(name, 4, 1))  # what libraries load on their first call is nobody's cost
    given = prepared(name, side)
    before = _resident()
    step(*given)
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10 - before
    often = max(1, round(FILL / _busiest(given)))
    taken: list[tuple[float, float]] = []
    while len(taken) < 2 or (len(taken) <= TURNS and time.process_time() < LONG):
        taken.append((_by_threads(given, often, 1), _by_threads(given, often, 2)))
    return mib, statistics.median(one / two for one, two in taken[1:])


def _by_threads(given: tuple[nn.Module, Tensor, Tensor], often: int, threads: int) -> float:
    torch.set_num_threads(threads)
    return _busiest(given, often)


def _busiest(given: tuple[nn.Module, Tensor, Tensor], often: int = 1) -> float:
    """CPU time of the busiest thread in so many steps: what they would take at least, were the cores free."""
    before = _threads()
    for _ in range(often):
        step(*given)
    return max(seconds - before.get(thread, 0.0) for thread, seconds in _threads().items())


def _threads() -> dict[str, float]:
    """() -> seconds of CPU time that each thread has had; Linux tells."""
    folder = Path("/proc/self/task")
    names = os.listdir(folder)
    return {name: int((folder / name / "schedstat").read_text().split()[0]) / 1e9 for name in names}


def _resident() -> float:
    """() -> MiB of memory in use by the process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
