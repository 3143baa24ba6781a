"""Local attention by each backend, over a dense bool mask, and "auto" over the best of all."""

import statistics
from functools import partial

import torch
from torch import Tensor

from benchmarks.turns import Row, Section, goal, ratio, say, times
from vision.attention import attend
from vision.fields import Field, neighbourhood
from vision.patches import Grid

BATCH = {8: 64, 16: 64, 32: 16, 64: 4}
DIM, HEADS = 192, 6


def attention(rounds: int) -> Section:
    """Forward + backward on four grids with three kernels."""
    rows = [_case(side, kernel, rounds) for side in BATCH for kernel in (3, 5, 7)]
    for row in rows:
        row["per token over 16x16"] = (
            row["us per token"] / _find(rows, "16x16", row["kernel"])["us per token"]
        )
    return Section(rows, _goals(rows))


def _goals(rows: list[Row]) -> list[Row]:
    far = [row for row in rows if row["kernel"] == 3 and row["grid"] in ("32x32", "64x64")]
    return [
        goal("k=3, 16x16: dense over auto", _find(rows, "16x16", 3)["dense over auto"], ">= 4"),
        goal("k=3, 32x32: dense over auto", _find(rows, "32x32", 3)["dense over auto"], ">= 12"),
        goal("k=3, cost per token up to 64x64", max(row["per token over 16x16"] for row in far), "<= 1.2"),
        goal("auto over the best, worst case", max(row["auto over best"] for row in rows), "<= 1.1"),
    ]


def _find(rows: list[Row], grid: str, kernel: int) -> Row:
    return next(row for row in rows if (row["grid"], row["kernel"]) == (grid, kernel))


def _case(side: int, kernel: int, rounds: int) -> Row:
    say(f"  {side} x {side}, kernel {kernel}")
    grid, batch = Grid(side, side), BATCH[side]
    field, generator = neighbourhood(grid, kernel), torch.Generator().manual_seed(0)
    qkv = torch.randn(batch, grid.size, 3, HEADS, DIM // HEADS, generator=generator)
    inputs = [x.detach().requires_grad_() for x in qkv.permute(2, 0, 3, 1, 4).unbind(0)]
    direction = torch.randn(batch, grid.size, HEADS, DIM // HEADS, generator=generator).transpose(1, 2)
    backends = ("dense", "shift", "native", "auto")
    taken = times({name: partial(_step, inputs, direction, field, name) for name in backends}, rounds)
    best = min(backends[:-1], key=lambda name: statistics.median(taken[name]))
    medians = {f"{name} ms": 1e3 * statistics.median(taken[name]) for name in backends}
    return {
        "grid": f"{side}x{side}",
        "kernel": kernel,
        "batch": batch,
        **medians,
        "dense over auto": ratio(taken["dense"], taken["auto"]),
        "best": best,
        "auto over best": ratio(taken["auto"], taken[best]),
        "us per token": 1e3 * min(medians["shift ms"], medians["native ms"]) / batch / grid.size,
    }


def _step(inputs: list[Tensor], direction: Tensor, field: Field, backend: str) -> None:
    q, k, v = inputs
    torch.autograd.grad(attend(q, k, v, field, backend=backend), inputs, direction)
