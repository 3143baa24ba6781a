"""What each part costs beside its alternatives, as ratios from one run: `python scripts/benchmark.py`.

The alternatives of a case take turns in one process, and a ratio is the median over the turns of the ratios
within a turn, so that a busy machine disturbs both sides alike. Times are process CPU time on one thread,
forward + backward. A section is a function that returns rows; add one to SECTIONS.

    python scripts/benchmark.py --sections attention --rounds 15 --json benchmark.json
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from vision.attention import attend
from vision.fields import Field, neighbourhood
from vision.mixers import create_mixer
from vision.patches import Grid

Row = dict[str, Any]
Step = Callable[[], Any]

BATCH = {8: 64, 16: 64, 32: 16, 64: 4}
DIM, HEADS = 192, 6


def attention(rounds: int) -> list[Row]:
    """() -> rows: local attention by each backend, over a dense bool mask, and auto over the best of all."""
    rows = [_attention_case(side, kernel, rounds) for side in BATCH for kernel in (3, 5, 7)]
    for row in rows:
        base = next(r for r in rows if r["grid"] == "16x16" and r["kernel"] == row["kernel"])
        row["per token over 16x16"] = row["us per token"] / base["us per token"]
    return rows


def convolution(rounds: int) -> list[Row]:
    """() -> rows: the mixer conv_attention, trained as one does, over nn.Conv2d on images in both layouts."""
    cases = [(8, 3, 1), (16, 3, 1), (16, 5, 1), (16, 3, DIM), (32, 3, 1)]
    return [_convolution_case(*case, rounds) for case in cases]


SECTIONS: dict[str, Callable[[int], list[Row]]] = {"attention": attention, "convolution": convolution}


def times(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Seconds of CPU time of each step in each round; the steps take turns, after one round to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            start = time.process_time()
            step()
            if turn:
                taken[name].append(time.process_time() - start)
    return taken


def ratio(one: Iterable[float], other: Iterable[float]) -> float:
    """The median of the paired ratios of two lists of times."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def machine() -> Row:
    """() -> what a number depends on besides the code: versions, commit, processor."""
    names = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = (line.split(":", 1)[1].strip() for line in names if line.startswith("model name"))
    return {
        "commit": _git("rev-parse", "--short", "HEAD")
        + ("+" if _git("status", "--porcelain", "vision") else ""),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": next(models, platform.processor()),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "float32 matmul": torch.get_float32_matmul_precision(),
    }


def main() -> None:
    """Run the chosen sections, print their tables, and write them to a file if one is named."""
    parser = argparse.ArgumentParser(description="Measure ratios of cost; see the module's docstring.")
    parser.add_argument(
        "--sections", default=",".join(SECTIONS), help="comma-separated; default: %(default)s"
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns that each alternative takes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine and rows as JSON")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.sections.split(",") if name not in SECTIONS]:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    torch.set_num_threads(1)
    console, about = Console(width=None if os.isatty(1) else 160), machine()
    console.print(", ".join(f"{name} {value}" for name, value in about.items()))
    results = {}
    for name in chosen.sections.split(","):
        results[name] = SECTIONS[name](chosen.rounds)
        console.print(_table(name, results[name]))
    if chosen.json:
        chosen.json.write_text(json.dumps({"machine": about, "rounds": chosen.rounds, **results}, indent=1))


def _attention_case(side: int, kernel: int, rounds: int) -> Row:
    grid, batch = Grid(side, side), BATCH[side]
    field, generator = neighbourhood(grid, kernel), torch.Generator().manual_seed(0)
    qkv = torch.randn(batch, grid.size, 3, HEADS, DIM // HEADS, generator=generator)
    inputs = [x.detach().requires_grad_() for x in qkv.permute(2, 0, 3, 1, 4).unbind(0)]
    direction = torch.randn(batch, grid.size, HEADS, DIM // HEADS, generator=generator).transpose(1, 2)
    backends = ("dense", "shift", "native", "auto")
    taken = times(
        {name: partial(_attention_step, inputs, direction, field, name) for name in backends}, rounds
    )
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


def _attention_step(inputs: list[Tensor], direction: Tensor, field: Field, backend: str) -> None:
    q, k, v = inputs
    torch.autograd.grad(attend(q, k, v, field, backend=backend), inputs, direction)


def _convolution_case(side: int, kernel: int, groups: int, rounds: int) -> Row:
    grid, batch = Grid(side, side), BATCH[side]
    mixer = create_mixer("conv_attention", DIM, grid, kernel_size=kernel, groups=groups)
    conv = nn.Conv2d(DIM, DIM, kernel, padding=kernel // 2, groups=groups)
    conv.load_state_dict(mixer.state_dict())
    images = torch.randn(batch, DIM, side, side)
    last = images.to(memory_format=torch.channels_last)
    inputs = {
        "conv_attention": (mixer, images.flatten(2).transpose(1, 2).contiguous()),
        "channels_last": (conv, last),
        "contiguous": (conv, images),
    }
    taken = times({name: _module_step(module, x) for name, (module, x) in inputs.items()}, rounds)
    return {
        "grid": f"{side}x{side}",
        "kernel": kernel,
        "groups": groups,
        "batch": batch,
        **{f"{name} ms": 1e3 * statistics.median(taken[name]) for name in inputs},
        "over channels_last": ratio(taken["conv_attention"], taken["channels_last"]),
        "over contiguous": ratio(taken["conv_attention"], taken["contiguous"]),
    }


def _module_step(module: nn.Module, x: Tensor) -> Step:
    x = x.detach().requires_grad_()
    with torch.no_grad():
        direction = torch.randn_like(module(x))  # keeps the layout of the output

    def step() -> None:
        torch.autograd.grad(module(x), [x, *module.parameters()], direction)

    return step


def _table(title: str, rows: list[Row]) -> Table:
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()))
    return table


def _git(*arguments: str) -> str:
    root = Path(__file__).parent
    return subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
    ).stdout.strip()


if __name__ == "__main__":
    main()
