"""A converted ResNet-18 at 224: fast over the original, and run explicitly, with its memory."""

import copy
import resource
import time
from collections.abc import Iterator
from functools import partial

import timm
import torch
from torch import Tensor, nn

from gpu.capture import replayed
from gpu.timing import Row, Step, in_turns, ratio, summary, synchronize
from vision import as_attention
from vision.convert import set_explicit_attention


def conversion(device: torch.device, tiny: bool) -> Iterator[Row]:
    """Yield ms of forward, and of forward and backward, then seconds and GiB of the explicit form."""
    size, batch, rounds = (64, 2, 2) if tiny else (224, 64, 15)
    torch.manual_seed(0)
    original = timm.create_model("resnet18").eval()
    converted = as_attention(original, size)
    explicit = set_explicit_attention(copy.deepcopy(converted), True)
    original, converted = original.to(device), converted.to(device)
    images = torch.randn(batch, 3, size, size, device=device)
    models = {"original": original, "fast": converted}
    for what, function in (("forward", _forward), ("forward and backward", _both)):
        steps = {name: partial(function, model, images) for name, model in models.items()}
        ways: dict[str, Step] = dict(steps)
        if device.type == "cuda":  # as vision train does; else the launches from the CPU would be measured
            ways = {name: replayed(step) for name, step in steps.items()}
        taken = in_turns(ways, device, rounds=rounds)
        over = {**ratio(taken["fast"], taken["original"]), "of": "fast over original"}
        case = {"model": "resnet18", "img_size": size, "batch": batch, "what": what}
        for name, seconds in taken.items():
            yield {**case, "way": name, **summary(seconds), **(over if name == "fast" else {})}
    yield from _explicit(explicit.to(device), original, images[:1], device)


def _explicit(model: nn.Module, original: nn.Module, image: Tensor, device: torch.device) -> Iterator[Row]:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    outputs, seconds = [], []
    for _ in range(3):  # the first run builds the fields of this size
        start = time.perf_counter()
        outputs.append(_forward(model, image))
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    wanted = _forward(original, image)
    difference = float((outputs[0] - wanted).norm() / wanted.norm())
    size = image.shape[-1]
    memory = (
        torch.cuda.max_memory_allocated(device) / 2**30
        if device.type == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    )
    yield {
        **{"model": "resnet18", "img_size": size, "batch": 1, "what": "forward", "way": "explicit"},
        **summary(seconds[1:]),
        **{"first_ms": 1e3 * seconds[0], "gib": memory, "relative_difference": difference},
    }


def _forward(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return model(images)


def _both(model: nn.Module, images: Tensor) -> None:
    torch.autograd.grad(model(images).sum(), list(model.parameters()))
