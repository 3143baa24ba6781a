"""Local attention, 3 x 3, forward and backward in bfloat16: every backend of a CUDA device on one grid.

On CUDA each way is captured as a graph, as `vision train` does, so that no launch from the CPU is measured.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gpu.capture import replayed
from gpu.timing import Row, Step, in_turns, ratio, summary, synchronize
from vision import Grid, attend
from vision.attention.dispatch import chosen_backend
from vision.fields import Field, neighbourhood

BATCH = {8: 512, 16: 256, 32: 64, 64: 16}
HEADS, WIDTH, KERNEL = 6, 32, 3
WAYS = ("dense", "shift", "flex")


def attention(device: torch.device, tiny: bool, *, side: int, bias: bool) -> Iterator[Row]:
    """Yield ms, peak memory and the ratio dense over each way; a way that fails yields its error.

    `bias` adds a bias per head and offset to the logits.
    """
    batch, rounds = (1, 2) if tiny else (BATCH[side], 15)
    field = neighbourhood(Grid(side, side), KERNEL)
    generator = torch.Generator().manual_seed(0)
    # views of one tensor (B, N, 3, H, D), as a model's linear map leaves them
    qkv = torch.randn(batch, side**2, 3, HEADS, WIDTH, generator=generator).to(device, torch.bfloat16)
    inputs = [x.detach().requires_grad_() for x in qkv.permute(2, 0, 3, 1, 4).unbind(0)]
    if bias:
        table = torch.randn(HEADS, KERNEL**2, generator=generator).to(device, torch.bfloat16)
        inputs.append(table.requires_grad_())
    direction = torch.randn(batch, HEADS, side**2, WIDTH, generator=generator).to(device, torch.bfloat16)
    auto = chosen_backend(inputs[0], inputs[1], inputs[2], field, *inputs[3:])
    case = {"grid": f"{side}x{side}", "k": KERNEL, "batch": batch, "heads": f"{HEADS}x{WIDTH}", "auto": auto}
    case |= {"bias": bias}
    steps: dict[str, Step] = {}
    found: dict[str, Row] = {}
    for way in WAYS[:2] if tiny else WAYS:
        step = _step(_attend(way, field), inputs, direction)
        try:
            found[way] = _first(step, device)
            steps[way] = replayed(step) if device.type == "cuda" else step
        except Exception as error:
            yield {**case, "way": way, "error": f"{type(error).__name__}: {error}"[:500]}
            synchronize(device)  # an error that breaks the device ends the row here
            continue
    taken = in_turns(steps, device, rounds=rounds)
    for way, seconds in taken.items():
        over = {**ratio(taken["dense"], seconds), "of": "dense over this"} if "dense" in taken else {}
        yield {**case, "way": way, **summary(seconds), **over, **found[way]}


def _attend(way: str, field: Field) -> Callable[..., Tensor]:
    def call(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
        return attend(q, k, v, field, bias, backend=way)

    return call


def _step(call: Callable[..., Tensor], inputs: list[Tensor], direction: Tensor) -> Step:
    return lambda: torch.autograd.grad(call(*inputs), inputs, direction)


def _first(step: Step, device: torch.device) -> Row:
    """Run a step twice, the first time to compile; return the additional memory of the second."""
    step()
    synchronize(device)
    if device.type != "cuda":
        step()
        return {}
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    synchronize(device)
    return {"peak_mib": (torch.cuda.max_memory_allocated(device) - before) / 2**20}
