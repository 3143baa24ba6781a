"""The checks of settings that need no data."""

import math
import os
from dataclasses import asdict
from typing import Any, cast

from vision.config.run import RunConfig

PRECISIONS = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda", "mps")
CUDA_GRAPH = ("auto", "never")
MEMORY_FORMATS = ("auto", "contiguous", "channels_last")
POLICIES = ("randaugment", "trivialaugment", "autoaugment")
SCHEDULES = ("cosine", "constant", "multistep", "step", "poly", "tanh", "wsd", "rsqrt")

VAL_FROM = ("subset", "rest")
CHANNELS, ON_ERROR, ON_CONSTANT = ("auto", "1", "3"), ("raise", "skip"), ("error", "warn")
# Bounds beyond which a setting is a slip: the machine would hang, or nothing could be learned.
MAX_THREADS, MAX_SMOOTHING, MAX_ALPHA = 1024, 0.9, 100


def check(config: RunConfig) -> None:
    """Raise a ValueError that names the first setting out of range."""
    for name in ("data", "model", "training"):
        _storable(name, asdict(getattr(config, name)))
    inside = os.path.normpath(os.path.join(config.output_dir, config.sweep))
    first = os.path.relpath(inside, config.output_dir).split(os.sep)[0]
    if not config.sweep or first in (os.curdir, os.pardir):
        raise ValueError(
            f"sweep must be the name of a folder below output_dir={config.output_dir}, got {config.sweep!r}"
        )
    training, data = config.training, config.data
    if (training.steps is None) == (training.epochs is None):
        raise ValueError(
            "give the budget as training.steps or as training.epochs and set the other to null, "
            f"got training.steps={training.steps}, training.epochs={training.epochs}"
        )
    if training.min_steps is not None and training.epochs is None:
        raise ValueError(
            f"training.min_steps={training.min_steps} belongs to a budget in epochs; set it to null, "
            "or give training.epochs and set training.steps to null"
        )
    _choice("training.precision", training.precision, PRECISIONS)
    _choice("training.device", training.device, DEVICES)
    _choice("data.channels", data.channels, CHANNELS)
    _choice("data.on_error", data.on_error, ON_ERROR)
    _choice("data.on_constant", data.on_constant, ON_CONSTANT)
    _choice("training.cuda_graph", training.cuda_graph, CUDA_GRAPH)
    _choice("training.memory_format", training.memory_format, MEMORY_FORMATS)
    _choice("training.schedule", training.schedule, SCHEDULES)
    _choice("data.val_from", data.val_from, VAL_FROM)
    if data.augment.policy is not None:
        _choice("data.augment.policy", data.augment.policy, POLICIES)
    for name in (
        "steps",
        "min_steps",
        "batch_size",
        "accumulation_steps",
        "num_evaluations",
        "patience",
        "threads",
    ):
        _at_least(f"training.{name}", getattr(training, name), 1)
    if training.patience is not None and not data.val_fraction:
        raise ValueError(
            f"training.patience={training.patience} needs validation images, got data.val_fraction=0"
        )
    if training.accumulation_steps > training.batch_size:
        raise ValueError(
            f"training.accumulation_steps={training.accumulation_steps} parts need at least as many images "
            f"per batch, got training.batch_size={training.batch_size}"
        )
    for name in ("epochs", "lr", "clip_grad", "layer_decay", "checkpoint_minutes"):
        _above_zero(f"training.{name}", getattr(training, name))
    _at_least("training.weight_decay", training.weight_decay, 0)
    _fraction("training.warmup_fraction", training.warmup_fraction)
    _fraction("training.label_smoothing", training.label_smoothing)
    _fraction("training.ema_decay", training.ema_decay)
    _fraction("training.momentum", training.momentum)
    _fraction("data.val_fraction", data.val_fraction)
    _at_least("data.img_size", data.img_size, 1)
    _at_least("data.test_size", data.test_size, 1)
    _at_least("data.num_workers", data.num_workers, 0)
    _above_zero("data.max_memory_fraction", data.max_memory_fraction)
    if (data.mean is None) != (data.std is None):
        raise ValueError(f"give both data.mean and data.std or neither, got {data.mean} and {data.std}")
    for name, values in (("mean", data.mean), ("std", data.std)):
        if any(not 0 <= value <= 1 for value in values or ()):
            raise ValueError(f"data.{name} must be in [0, 1], as pixels are scaled to it, got {values}")
    for name, seed in (("seed", config.seed), ("data.subset_seed", data.subset_seed)):
        if not 0 <= seed < 2**32:
            raise ValueError(f"{name} must be from 0 to {2**32 - 1}, got {seed}")
    if training.threads is not None and training.threads > MAX_THREADS:
        raise ValueError(f"training.threads must be at most {MAX_THREADS}, got {training.threads}")
    if training.label_smoothing > MAX_SMOOTHING:
        raise ValueError(
            f"training.label_smoothing must be at most {MAX_SMOOTHING}, as more leaves nothing to learn, got "
            f"{training.label_smoothing}"
        )
    for name in ("mixup", "cutmix"):
        if (alpha := getattr(data.augment, name)) > MAX_ALPHA:
            raise ValueError(f"data.augment.{name} must be at most {MAX_ALPHA}, got {alpha}")
    for name in ("crop_padding", "mixup", "cutmix"):
        _at_least(f"data.augment.{name}", getattr(data.augment, name), 0)
    erasing = data.augment.random_erasing
    if not 0 <= erasing <= 1:
        raise ValueError(f"data.augment.random_erasing must be from 0 to 1, got {erasing}")


def _storable(name: str, value: Any) -> None:
    """Refuse what JSON cannot hold, as the settings of a run are stored in its record."""
    if isinstance(value, dict):
        for key, inner in cast(dict[Any, Any], value).items():
            _storable(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(cast(list[Any], value)):
            _storable(f"{name}[{number}]", inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value}")
    elif not (value is None or isinstance(value, str | bool | int | float)):
        kinds = "a number, a text, true, false, null, or lists and dictionaries of these"
        raise ValueError(f"{name} must be {kinds}, got {value!r} ({type(value).__name__})")


def _choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _at_least(name: str, value: float | None, minimum: float) -> None:
    if value is not None and not value >= minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")


def _above_zero(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{name} must be above 0, got {value}")


def _fraction(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value < 1:
        raise ValueError(f"{name} must be from 0 up to but not including 1, got {value}")
