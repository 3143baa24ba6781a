"""The mixer conv_attention, fast and as explicit attention, over nn.Conv2d in both memory layouts."""

import statistics

import torch
from torch import Tensor, nn

from benchmarks.turns import Row, Section, Step, goal, ratio, say, times
from vision.mixers import create_mixer
from vision.patches import Grid

DIM = 192
# Side, kernel, groups, batch.
CASES = ((8, 3, 1, 64), (16, 3, 1, 64), (16, 5, 1, 64), (16, 3, DIM, 64), (32, 3, 1, 16))


def convolution(rounds: int) -> Section:
    """Measure forward + backward; the goal is over the better layout, channels last."""
    rows = [_case(*case, rounds) for case in CASES]
    goals = [
        goal(
            f"{row['grid']}, k={row['kernel']}, groups={row['groups']}: over nn.Conv2d, channels last",
            row["over channels_last"],
            "<= 1.05",
        )
        for row in rows
    ]
    return Section(rows, goals)


def _case(side: int, kernel: int, groups: int, batch: int, rounds: int) -> Row:
    say(f"  {side} x {side}, kernel {kernel}, groups {groups}")
    options = {"kernel_size": kernel, "groups": groups}
    mixer, explicit = (
        create_mixer("conv_attention", DIM, Grid(side, side), explicit=explicit, **options)
        for explicit in (False, True)
    )
    conv = nn.Conv2d(DIM, DIM, kernel, padding=kernel // 2, groups=groups)
    conv.load_state_dict(mixer.state_dict())
    explicit.load_state_dict(mixer.state_dict())
    images = torch.randn(batch, DIM, side, side)
    last = images.to(memory_format=torch.channels_last)
    tokens = images.flatten(2).transpose(1, 2).contiguous()
    inputs = {
        "conv_attention": (mixer, tokens),
        "explicit": (explicit, tokens),
        "channels_last": (conv, last),
        "contiguous": (conv, images),
    }
    taken = times({name: _step(module, x) for name, (module, x) in inputs.items()}, rounds)
    return {
        "grid": f"{side}x{side}",
        "kernel": kernel,
        "groups": groups,
        "batch": batch,
        **{f"{name} ms": 1e3 * statistics.median(taken[name]) for name in inputs},
        "over channels_last": ratio(taken["conv_attention"], taken["channels_last"]),
        "explicit over channels_last": ratio(taken["explicit"], taken["channels_last"]),
        "over contiguous": ratio(taken["conv_attention"], taken["contiguous"]),
    }


def _step(module: nn.Module, x: Tensor) -> Step:
    x = x.detach().requires_grad_()
    with torch.no_grad():
        grad = torch.randn_like(module(x))  # keeps the layout of the output

    def step() -> None:
        torch.autograd.grad(module(x), [x, *module.parameters()], grad)

    return step
