"""Run each mixer at each length in its own process: memory, and the gain of a second thread.

python scripts/benchmarks/length_run.py 16 32 64 128
"""

import json
import multiprocessing
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vision.mixers import create_mixer
from vision.patches import Grid

DIM, TOKENS, TURNS = 64, 16_384, 20
LONG = 15  # seconds of CPU time after which a process begins no further turn
# Each mixer's registered name and arguments; four heads.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "truncated attention, window 9": ("truncated_attention", {"window": 9}),
    "local attention, 3x3": ("local_attention", {"kernel_size": 3}),
    "self-attention": ("self_attention", {}),
    "LSTM, one sequence": ("recurrent", {"order": "sequence"}),
    "LSTM, rows and columns": ("recurrent", {"order": "rows_and_columns"}),
}


def prepared(name: str, side: int, sequences: int | None = None) -> tuple[nn.Module, Tensor, Tensor]:
    """Return the mixer on side x side tokens, its input (B, N, C), and a gradient of the output."""
    kind, arguments = KINDS[name]
    shape = (sequences or TOKENS // side**2, side**2, DIM)
    mixer = create_mixer(kind, DIM, Grid(side, side), **arguments)
    return mixer, torch.randn(shape).requires_grad_(), torch.randn(shape)


def step(mixer: nn.Module, x: Tensor, grad: Tensor) -> None:
    """Run forward and backward, to the input and all parameters."""
    torch.autograd.grad(mixer(x), [x, *mixer.parameters()], grad)


def main() -> None:
    """Print [mixer, side, MiB, times faster by two threads] as JSON for the given sides."""
    torch.set_num_threads(1)
    cases = [(name, int(side)) for name in KINDS for side in sys.argv[1:]]
    # Forked, so torch is loaded once. Each is a new process in which nothing was computed before.
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        measured = pool.starmap(_measured, cases, chunksize=1)
    print(json.dumps([[*case, *values] for case, values in zip(cases, measured, strict=True)]))


def _measured(name: str, side: int) -> tuple[float, float]:
    step(*prepared(name, 4, 1))  # what libraries load on their first call is not counted
    arguments = prepared(name, side)
    before = _resident()
    step(*arguments)
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10 - before
    wall: dict[int, list[float]] = {1: [], 2: []}
    while len(wall[1]) < 2 or (len(wall[1]) <= TURNS and time.process_time() < LONG):
        for threads, taken in wall.items():
            torch.set_num_threads(threads)
            start = time.perf_counter()
            step(*arguments)
            taken.append(time.perf_counter() - start)
    # Other work on the cores only adds to wall time, so the shortest step is the best estimate.
    return mib, min(wall[1]) / min(wall[2])


def _resident() -> float:
    """Return the MiB of memory that the process uses now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
