"""Images per second of the training loop, batches and augmentation included, over the bare step on one batch.

The loop is `vision.training.fit` on images that are resident on the device. The bare step repeats forward,
loss, backward, clipping and optimizer on one batch. Making the batches is measured alone as well. All take
turns.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import torch

from gpu import capture
from gpu.timing import Row, ratio, summary, synchronize
from vision.config import AugmentConfig
from vision.data import Images, train_batches
from vision.training import Batch, Training, fit

CASES = (("field_vit", 200_000, 64), ("field_vit", 2_700_000, 512), ("resnet18_small", None, 512))
SKIPPED = 10  # steps of a round that are not measured


def loop(device: torch.device, tiny: bool) -> Iterator[Row]:
    """Yield images per second of both, and their ratio, for a micro and two larger models."""
    for model, params, batch in CASES[:1] if tiny else CASES:
        if tiny:
            params, batch = 20_000, 8
        yield from _case(device, model, params, batch, *((12, 2) if tiny else (110, 3)))


def _case(
    device: torch.device, model: str, params: int | None, batch: int, steps: int, rounds: int
) -> Iterator[Row]:
    arguments: Row = {"params": params} if params else {}
    work = capture.make_work(model, device, batch=batch, precision="auto", memory_format="auto", **arguments)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (10_000, 3, 32, 32), dtype=torch.uint8, generator=generator).to(device)
    images = Images(pixels, torch.arange(10_000) % 10)
    alone = capture.graphed_step if device.type == "cuda" else capture.eager
    bare = alone(capture.copy_of(work))
    ways = {
        "vision train": lambda: _fit(work, images, steps),
        "bare": lambda: _bare(bare, device, steps),
        "batches alone": lambda: _batches_alone(work, images, steps),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, measured in ways.items():
            seconds = measured() / batch
            if turn:  # the first warms up
                taken[way].append(seconds)
    case = {"model": model, "params": params, "batch": batch, "steps": steps - SKIPPED}
    over = {**ratio(taken["bare"], taken["vision train"]), "of": "images/s of vision train over bare"}
    for way, seconds in taken.items():
        speed = summary([1 / one for one in seconds], scale=1.0, unit="images_per_s")
        yield {**case, "way": way, **speed, **(over if way == "vision train" else {})}


def _fit(work: capture.Work, images: Images, steps: int) -> float:
    """Train a copy through the loop: seconds per step past the first ones."""
    config = replace(work.config, steps=steps)
    begun: list[float] = []

    def on_step(training: Training) -> None:
        if training.done == SKIPPED:
            synchronize(work.device)
            begun.append(time.perf_counter())

    model = capture.copy_of(work).model
    batches = _batches(work, images, steps)
    fit(model, batches, config, steps=steps, device=work.device, on_step=on_step)
    synchronize(work.device)
    return (time.perf_counter() - begun[0]) / (steps - SKIPPED)


def _batches_alone(work: capture.Work, images: Images, steps: int) -> float:
    """Make the batches and do nothing with them: seconds per batch past the first ones."""
    start = 0.0
    for number, _ in enumerate(_batches(work, images, steps), start=1):
        if number == SKIPPED:
            synchronize(work.device)
            start = time.perf_counter()
    synchronize(work.device)
    return (time.perf_counter() - start) / (steps - SKIPPED)


def _batches(work: capture.Work, images: Images, steps: int) -> Iterator[Batch]:
    return train_batches(
        images,
        torch.arange(len(images)),
        batch_size=len(work.images),
        mean=[0.5] * 3,
        std=[0.25] * 3,
        seed=0,
        augment=AugmentConfig(crop_padding=4, flip=True),
        steps=steps,
        device=work.device,
    )


def _bare(step: capture.StepFunction, device: torch.device, steps: int) -> float:
    for _ in range(SKIPPED):
        step()
    synchronize(device)
    start = time.perf_counter()
    for _ in range(steps - SKIPPED):
        step()
    synchronize(device)
    return (time.perf_counter() - start) / (steps - SKIPPED)
