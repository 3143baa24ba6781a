"""Local attention by each backend, over a dense bool mask, and "auto" over the best of all."""

import statistics
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.turns import Row, Section, goal, paired, ratio, say, times
from vision.attention import attend
from vision.attention.dispatch import chosen_backend
from vision.fields import Field, neighbourhood
from vision.patches import Grid

BACKENDS = ("dense", "shift", "native")
BATCH = {8: 64, 16: 64, 32: 16, 64: 4}
WIDE, NARROW = (6, 32), (4, 16)  # heads, and the width of each
# A rival that is slower by this factor in the first measurement is not measured again.
CLOSE = 1.5


class Case(NamedTuple):
    """One shape: side x side tokens, a neighbourhood of kernel x kernel."""

    side: int
    kernel: int
    batch: int
    heads: tuple[int, int] = WIDE
    dtype: torch.dtype = torch.float32


def cases() -> Iterator[Case]:
    """Yield the shapes that have a goal first, then narrow heads, single images, bfloat16."""
    for side, batch in BATCH.items():
        yield from (Case(side, kernel, batch) for kernel in (3, 5, 7))
    for side, batch in {8: 64, 16: 16, 32: 4, 64: 1}.items():
        yield from (Case(side, kernel, batch, NARROW) for kernel in (3, 5, 7))
    for side in (8, 16, 32):
        yield from (Case(side, kernel, 1, heads) for kernel in (3, 5, 7) for heads in (WIDE, NARROW))
    for side, batch in {8: 16, 16: 8, 32: 2}.items():
        for kernel in (3, 5, 7):
            yield from (Case(side, kernel, batch, heads, torch.bfloat16) for heads in (WIDE, NARROW))


def attention(rounds: int) -> Section:
    """Measure forward + backward on four grids with three kernels."""
    rows = [_case(case, rounds) for case in cases()]
    return Section(rows, _goals(rows, {kernel: _per_token(kernel, rounds) for kernel in (3, 5, 7)}))


def _goals(rows: list[Row], growth: dict[int, float]) -> list[Row]:
    worst = max(rows, key=lambda row: row["auto over best"])
    where = "{grid}, k={k}, batch {batch}, heads {heads}, {dtype}".format(**worst)
    other = sum(row["over the next"] > 1 for row in rows)
    return [
        goal("k=3, 16x16: dense over auto", _find(rows, "16x16", 3)["dense over auto"], ">= 4"),
        goal("k=3, 32x32: dense over auto", _find(rows, "32x32", 3)["dense over auto"], ">= 12"),
        goal("k=3, 64x64: dense over auto", _find(rows, "64x64", 3)["dense over auto"]),
        goal("k=3, cost per token up to 64x64 over 16x16", growth[3], "<= 1.2"),
        goal("k=5, the same", growth[5]),
        goal("k=7, the same", growth[7]),
        goal(f"auto over the best, worst of {len(rows)} ({where})", worst["auto over best"], "<= 1.1"),
        goal("cases in which another backend was faster than auto's", other),
    ]


def _per_token(kernel: int, rounds: int) -> float:
    """Return the larger cost per token at 32 x 32 and 64 x 64 over that at 16 x 16, by "auto"."""
    say(f"  kernel {kernel}, by size of the grid")
    steps = {}
    for side in (16, 32, 64):
        field = neighbourhood(Grid(side, side), kernel)
        steps[str(side)] = partial(_step, *_tensors(Case(side, kernel, BATCH[side])), field, "auto")
    taken = times(steps, 3 * rounds)
    return max(
        ratio(taken[str(side)], taken["16"]) * BATCH[16] * 16**2 / BATCH[side] / side**2 for side in (32, 64)
    )


def _find(rows: list[Row], grid: str, kernel: int) -> Row:
    return next(row for row in rows if (row["grid"], row["k"]) == (grid, kernel))


def _case(case: Case, rounds: int) -> Row:
    say(f"  {case.side} x {case.side}, kernel {case.kernel}, batch {case.batch}, {case.heads}, {case.dtype}")
    field = neighbourhood(Grid(case.side, case.side), case.kernel)
    (q, k, v), grad = _tensors(case)
    inputs = [q, k, v]
    steps = {name: partial(_step, inputs, grad, field, name) for name in BACKENDS}
    taken = times(steps, rounds)
    medians = {name: statistics.median(taken[name]) for name in BACKENDS}
    auto = chosen_backend(q, k, v, field)
    rival = min((name for name in BACKENDS if name != auto), key=lambda name: medians[name])
    over = ratio(taken[auto], taken[rival])
    if 1 / CLOSE < over < CLOSE:
        over = paired(steps[auto], steps[rival], 2 * rounds)
    choice = _choice(inputs, field)
    return {
        "grid": f"{case.side}x{case.side}",
        "k": case.kernel,
        "batch": case.batch,
        "heads": "x".join(map(str, case.heads)),
        "dtype": str(case.dtype).removeprefix("torch."),
        **{f"{name} ms": 1e3 * seconds for name, seconds in medians.items()},
        "dense over auto": ratio(taken["dense"], taken[auto]),
        "auto": auto,
        "next": rival,
        "over the next": over,
        "choice us": 1e6 * choice,
        "auto over best": max(1.0, over) + choice / medians[auto],
        "us per token": 1e6 * medians[auto] / case.batch / case.side**2,
    }


def _tensors(case: Case) -> tuple[list[Tensor], Tensor]:
    """Return q, k, v (B, H, N, D), views of one tensor as in a model, and a gradient of the output."""
    generator = torch.Generator().manual_seed(0)
    shape = (case.batch, case.side**2, *case.heads)
    qkv = torch.randn(*shape[:2], 3, *case.heads, generator=generator).to(case.dtype)
    grad = torch.randn(shape, generator=generator).to(case.dtype).transpose(1, 2)
    return [x.detach().requires_grad_() for x in qkv.permute(2, 0, 3, 1, 4).unbind(0)], grad


def _step(inputs: list[Tensor], grad: Tensor, field: Field, backend: str) -> None:
    q, k, v = inputs
    torch.autograd.grad(attend(q, k, v, field, backend=backend), inputs, grad)


def _choice(inputs: list[Tensor], field: Field, repeats: int = 200) -> float:
    """Return the seconds in which "auto" checks a call and chooses: all it costs besides its backend."""
    q, k, v = inputs
    start = time.process_time()
    for _ in range(repeats):
        chosen_backend(q, k, v, field)
    return (time.process_time() - start) / repeats
