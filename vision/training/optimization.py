"""The optimizer and its schedule, both timm's.

>>> optimizer = create_optimizer(torch.nn.Linear(2, 2), TrainingConfig(lr=0.1), torch.device("cpu"))
>>> schedule = create_schedule(optimizer, TrainingConfig(lr=0.1), steps=100)
>>> schedule.step_update(10)
>>> optimizer.param_groups[0]["lr"]
0.1
"""

# timm's factories have no types for their keyword arguments.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportPrivateImportUsage=false

from typing import Any, cast

import torch
from timm.optim import create_optimizer_v2, get_optimizer_class, get_optimizer_info, list_optimizers
from timm.scheduler.scheduler_factory import create_scheduler_v2
from torch import nn

from vision.argument_types import unknown_argument
from vision.config import TrainingConfig, require_flags
from vision.dynamic import Arguments

_FUSED = ("adam", "adamw", "sgd", "nesterov", "momentum")  # torch's fused kernels, on a CPU and on CUDA


def create_optimizer(model: nn.Module, config: TrainingConfig, device: torch.device) -> torch.optim.Optimizer:
    """Return timm's optimizer of the name training.optimizer, one of `timm.optim.list_optimizers()`.

    Norms, biases and position embeddings have no weight decay.

    Raises:
        ValueError: timm has no such optimizer, or it does not accept an argument.
    """
    known = cast("list[str]", list_optimizers())
    if config.optimizer not in known:
        raise ValueError(
            f"training.optimizer={config.optimizer!r} is not an optimizer of timm; "
            f"its names are {', '.join(known)}"
        )
    arguments: Arguments = {**_momentum(config), **config.optimizer_options}
    if config.optimizer in _FUSED and device.type in ("cpu", "cuda"):
        arguments.setdefault("fused", True)
    try:
        optimizer = create_optimizer_v2(
            model,
            opt=config.optimizer,
            lr=config.lr,
            weight_decay=config.weight_decay,
            layer_decay=config.layer_decay,
            **arguments,
        )
    except Exception as error:  # whatever an optimizer raises at an option
        unknown = unknown_argument(get_optimizer_class(config.optimizer), config.optimizer_options)
        reason = f"it {unknown}" if unknown else error
        raise ValueError(
            f"training.optimizer={config.optimizer} cannot be made with {arguments}: {reason}"
        ) from error
    require_flags("training.optimizer_options", config.optimizer_options, type(optimizer).__init__)
    return optimizer


def _momentum(config: TrainingConfig) -> Arguments:
    """Return the arguments for training.momentum, which timm drops where an optimizer has none."""
    if config.momentum is None:
        return {}
    if not get_optimizer_info(config.optimizer).has_momentum:
        raise ValueError(
            f"training.momentum must be null for training.optimizer={config.optimizer}, which has none, "
            f"got {config.momentum}"
        )
    if "momentum" in config.optimizer_options:
        raise ValueError(
            f"give training.momentum={config.momentum} or training.optimizer_options.momentum="
            f"{config.optimizer_options['momentum']}, not both"
        )
    # timm's sgd has Nesterov's momentum, which cannot be 0.
    without = {"nesterov": False} if config.optimizer == "sgd" and config.momentum == 0 else {}
    return {"momentum": config.momentum, **without}


def create_schedule(optimizer: torch.optim.Optimizer, config: TrainingConfig, *, steps: int) -> Any:
    """Return timm's schedule of the name training.schedule, after a linear warm-up, counted in steps.

    Its step_update(k) sets the learning rates of step k + 1.

    Raises:
        ValueError: the schedule does not accept an option.
    """
    warmup = round(config.warmup_fraction * steps)
    length = max(1, steps - warmup)
    options: Arguments = dict(config.schedule_options)
    for name in ("decay_milestones", "decay_epochs"):  # fractions of the steps
        if name in options:
            options[name] = _in_steps(options[name], steps)
    try:
        schedule, _ = create_scheduler_v2(
            optimizer,
            sched=config.schedule,
            num_epochs=length,
            warmup_epochs=warmup,
            warmup_lr=config.lr / (warmup + 1),
            warmup_prefix=True,
            step_on_epochs=False,
            updates_per_epoch=1,
            **options,
        )
    except (ArithmeticError, TypeError, ValueError) as error:
        unknown = unknown_argument(create_scheduler_v2, options)
        reason = f"timm's schedule {unknown}" if unknown else error
        raise ValueError(
            f"training.schedule={config.schedule} cannot be made with {options}: {reason}"
        ) from error
    return schedule


def _in_steps(fractions: Any, steps: int) -> Any:
    listed = cast("list[Any]", fractions) if isinstance(fractions, list) else [fractions]
    if not all(isinstance(fraction, int | float) and 0 <= fraction <= 1 for fraction in listed):
        raise ValueError(
            "milestones and lengths in training.schedule_options must be fractions of the steps, "
            f"got {fractions}"
        )
    if isinstance(fractions, (int, float)):
        return max(1, round(fractions * steps))
    return [round(fraction * steps) for fraction in listed]
