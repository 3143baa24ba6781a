"""A whole training step of `vision train` over the bare step on one batch.

The whole step is that of a real run: vision.experiment.run with its batches, augmentation, schedule,
clipping, checks and progress, in a temporary folder. Between two of its steps the bare steps take a turn,
each on a copy of the model. A bare step is forward, backward, optimizer and zero_grad, always on the first
batch.
"""

import copy
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from timm.optim import create_optimizer_v2
from torch import Tensor, nn

from benchmarks.turns import Row, Section, goal, ratio, say
from vision.cli.train.progress import Progress
from vision.config import AugmentConfig, DataConfig, ModelConfig, RunConfig, TrainingConfig
from vision.data import Images, Source, register_source
from vision.experiment import run, train
from vision.training import Batch, TrainingResult, fit, resolve_precision

WHOLE, BARE, CLIPPED = "vision train", "bare", "bare + clipping"
WARM_UP = 3
DIGITS = DataConfig(name="digits 1x8x8", source="digits")
RANDOM = DataConfig(
    name="random 3x32x32",
    source="benchmark_random",
    val_fraction=0.0,
    augment=AugmentConfig(crop_padding=4, flip=True),
)
# Data, batch size, steps per round.
CASES = ((DIGITS, 32, 24), (RANDOM, 128, 4))


def step(rounds: int) -> Section:
    """Measure the ViT and the CNN of 210,000 parameters, on digits and on images of 3 x 32 x 32."""
    rows = [_case(*case, model, rounds) for case in CASES for model in ("field_vit", "field_cnn")]
    goals = []
    for row in rows:
        where = f"{row['model']}, {row['data']}, batch {row['batch']}"
        goals.append(goal(f"{where}: over bare", row[f"over {BARE}"], "<= 1.05"))
        goals.append(
            goal(f"{where}: over bare with the recipe's clipping", row[f"over {CLIPPED}"], "<= 1.05")
        )
    return Section(rows, goals)


@register_source("benchmark_random")
def random_images(config: DataConfig) -> Source:
    """Return 640 images of noise (3, 32, 32) in 10 classes, 128 of them to test on."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (640, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = torch.arange(640) % 10
    return Source(Images(pixels[128:], labels[128:]), Images(pixels[:128], labels[:128]), tuple("0123456789"))


def _case(data: DataConfig, batch_size: int, steps: int, model: str, rounds: int) -> Row:
    say(f"  {model} on {data.name}")
    taken: dict[str, list[float]] = {WHOLE: [], BARE: [], CLIPPED: []}
    with TemporaryDirectory() as folder, patch.object(train, "fit", partial(_fit_in_turns, taken)):
        config = RunConfig(
            data=data,
            model=ModelConfig(name=model, kwargs={"params": 210_000}),
            training=TrainingConfig(
                steps=WARM_UP + steps * rounds,
                batch_size=batch_size,
                num_evaluations=1,
                device="cpu",
                threads=1,
            ),
            output_dir=folder,
        )
        run(config, Progress(config))
    taken = {name: seconds[WARM_UP - 1 :] for name, seconds in taken.items()}
    return {
        "model": model,
        "data": data.name,
        "batch": batch_size,
        "steps": len(taken[WHOLE]),
        **{f"{name} ms": 1e3 * statistics.median(seconds) for name, seconds in taken.items()},
        f"over {BARE}": ratio(taken[WHOLE], taken[BARE]),
        f"over {CLIPPED}": ratio(taken[WHOLE], taken[CLIPPED]),
    }


def _fit_in_turns(
    taken: dict[str, list[float]],
    model: nn.Module,
    batches: Iterable[Batch],
    config: TrainingConfig,
    **options: Any,
) -> TrainingResult:
    others = {
        BARE: _bare(copy.deepcopy(model), config, clip=False),
        CLIPPED: _bare(copy.deepcopy(model), config, clip=True),
    }
    return fit(model, _in_turns(batches, others, taken), config, **options)


def _in_turns(
    batches: Iterable[Batch],
    others: dict[str, Callable[[Tensor, Tensor], None]],
    taken: dict[str, list[float]],
) -> Iterator[Batch]:
    """Yield the batches; the time from one request to the next is that of the whole step."""
    batches, first = iter(batches), None
    while True:
        start = time.process_time()
        batch = next(batches, None)
        if batch is None:
            return
        yield batch
        taken[WHOLE].append(time.process_time() - start)
        first = first or batch
        for name, other in others.items():
            start = time.process_time()
            other(*first)
            taken[name].append(time.process_time() - start)


def _bare(model: nn.Module, config: TrainingConfig, *, clip: bool) -> Callable[[Tensor, Tensor], None]:
    optimizer = create_optimizer_v2(
        model.train(), opt="adamw", lr=config.lr, weight_decay=config.weight_decay, fused=True
    )
    dtype = resolve_precision(config.precision, torch.device("cpu"))
    autocast = torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32)
    parameters = list(model.parameters())

    def step(images: Tensor, targets: Tensor) -> None:
        with autocast:
            logits = model(images)
        F.cross_entropy(logits.float(), targets, label_smoothing=config.label_smoothing).backward()
        if clip:
            nn.utils.clip_grad_norm_(parameters, config.clip_grad or 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
