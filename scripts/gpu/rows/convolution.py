"""The mixer conv_attention on its fast path over nn.Conv2d in both layouts, forward and backward."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gpu.capture import replayed
from gpu.timing import Row, Step, in_turns, ratio, summary
from vision import Grid
from vision.mixers import create_mixer

DIM = 192
CASES = ((8, 3, 1, 512), (16, 3, 1, 256), (32, 3, 1, 64), (16, 3, DIM, 256))  # side, kernel, groups, batch


def convolution(device: torch.device, tiny: bool) -> Iterator[Row]:
    """Yield ms of each, and the mixer's over nn.Conv2d's in channels_last, in float32 and bfloat16."""
    for dtype in (torch.bfloat16, torch.float32):
        for side, kernel, groups, batch in CASES[:1] if tiny else CASES:
            yield from _case(device, dtype, side, kernel, groups, 2 if tiny else batch, 2 if tiny else 15)


def _case(
    device: torch.device, dtype: torch.dtype, side: int, kernel: int, groups: int, batch: int, rounds: int
) -> Iterator[Row]:
    mixer = create_mixer("conv_attention", DIM, Grid(side, side), kernel_size=kernel, groups=groups)
    conv = nn.Conv2d(DIM, DIM, kernel, padding=kernel // 2, groups=groups)
    conv.load_state_dict(mixer.state_dict())
    mixer, conv = mixer.to(device, dtype), conv.to(device, dtype)
    images = torch.randn(batch, DIM, side, side, device=device, dtype=dtype)
    tokens = images.flatten(2).transpose(1, 2).contiguous()
    steps = {
        "conv_attention": _step(mixer, tokens),
        "channels_last": _step(conv, images.to(memory_format=torch.channels_last)),
        "contiguous": _step(conv, images),
    }
    if device.type == "cuda":  # as vision train does; else the launches from the CPU would be measured
        steps = {way: replayed(step) for way, step in steps.items()}
    taken = in_turns(steps, device, rounds=rounds)
    case = {"grid": f"{side}x{side}", "k": kernel, "groups": groups, "batch": batch, "dtype": str(dtype)}
    for way, seconds in taken.items():
        over = ratio(taken["conv_attention"], seconds)
        yield {**case, "way": way, **summary(seconds), **over, "of": "conv_attention over this"}


def _step(module: nn.Module, x: Tensor) -> Step:
    x = x.detach().requires_grad_()
    with torch.no_grad():
        direction = torch.randn_like(module(x))  # keeps the layout of the output
    return lambda: torch.autograd.grad(module(x), [x, *module.parameters()], direction)
