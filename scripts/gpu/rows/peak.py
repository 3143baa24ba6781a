"""Arithmetic of a training step over that of a large bfloat16 matrix product, measured on the same device."""

from collections.abc import Iterator

import torch

from gpu import capture
from gpu.timing import Row, in_turns, quartiles, summary
from vision.models import cost

CASES = (("field_vit", {"params": 2_700_000}), ("resnet18_small", {}))
WAYS = (
    ("eager", "contiguous"),
    ("graphed_step", "contiguous"),
    ("graphed_step", "channels_last"),
)
COMPILED = (("compiled_and_graphed", "channels_last"),)
BATCH, SIZE = 512, 8192
OPERATIONS = 6  # per multiply-add of the forward: two there, four in the backward


def peak(device: torch.device, tiny: bool, *, compiled: bool) -> Iterator[Row]:
    """Yield TFLOP/s of the product, then of each model's step in each way, or compiled."""
    ways = COMPILED if compiled else WAYS
    batch, size, rounds = (4, 128, 2) if tiny else (BATCH, SIZE, 9)
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    taken = in_turns({"product": lambda: a @ b}, device, rounds=rounds)["product"]
    _, seconds, _ = quartiles(taken)
    top = 2 * size**3 / seconds / 1e12
    yield {"model": f"{size}^3 matrix product", **summary(taken), "tflops": top, "share": 1.0}
    for name, arguments in CASES[:1] if tiny else CASES:
        for way, memory_format in ways[:1] if tiny else ways:
            case = {"model": name, "batch": batch, "way": way, "memory_format": memory_format}
            work = capture.make_work(
                name, device, batch=batch, precision="bfloat16", memory_format=memory_format, **arguments
            )
            macs = cost(work.model, (3, 32, 32)).macs
            try:
                step = capture.WAYS[way](work)
                taken = in_turns({way: step}, device, rounds=rounds)[way]
            except Exception as error:
                yield {**case, "error": f"{type(error).__name__}: {error}"[:500]}
                continue
            reached = OPERATIONS * macs * batch / quartiles(taken)[1] / 1e12
            speed = batch / quartiles(taken)[1]
            yield {**case, **summary(taken), "images_per_s": speed, "tflops": reached, "share": reached / top}
