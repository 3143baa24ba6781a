"""One step of a recipe, and of a model, so that what cannot be trained is reported before the first run.

>>> try_recipe(TrainingConfig(schedule="step", schedule_options={"decay_rate": -5, "decay_epochs": 0.2}))
Traceback (most recent call last):
ValueError: training.schedule=step with {'decay_rate': -5, 'decay_epochs': 0.2} gives the learning rate -0.005
"""

# Tensor.backward has no types.
# pyright: reportUnknownMemberType=false

from dataclasses import replace

import torch
from torch import nn

from vision.config import TrainingConfig
from vision.text import one_line
from vision.training.freeze import frozen_backbone, training_mode
from vision.training.optimization import create_optimizer, create_schedule

STEPS = 100


def try_recipe(config: TrainingConfig) -> None:
    """Make the optimizer and the schedule, one optimizer step, and the learning rates of a short training.

    Raises:
        ValueError: one of them fails, or a learning rate is not a number from 0 on.
    """
    with torch.random.fork_rng(devices=[]):
        model = nn.Linear(2, 2)
        optimizer = create_optimizer(model, replace(config, layer_decay=None), torch.device("cpu"))
    try:
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    except Exception as error:  # whatever an optimizer raises at an option that it did not check
        raise ValueError(
            f"training.optimizer={config.optimizer} cannot make a step with {config.optimizer_options}: "
            f"{one_line(error, most=200)}"
        ) from error
    schedule = create_schedule(optimizer, config, steps=STEPS)
    rates: list[float] = []
    try:
        for step in range(0, STEPS, 5):
            schedule.step_update(step)
            rates.append(float(optimizer.param_groups[0]["lr"]))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ValueError(
            f"training.schedule={config.schedule} cannot be made with {config.schedule_options}: {error}"
        ) from error
    if wrong := [rate for rate in rates if not rate >= 0]:
        raise ValueError(
            f"training.schedule={config.schedule} with {config.schedule_options} gives the learning rate "
            f"{wrong[0]}"
        )


def try_model(model: nn.Module, config: TrainingConfig, *, shape: tuple[int, int, int], images: int) -> None:
    """Pass images (images, *shape) forward and back through a model in training mode; its state changes.

    A model that calls sys.exit is left to its run, which records that.

    Raises:
        ValueError: it fails, as a batch norm does with one value.
    """
    with torch.random.fork_rng(devices=[]), frozen_backbone(model, enabled=config.freeze_backbone):
        training_mode(model, config)
        try:
            model(torch.randn(images, *shape)).float().logsumexp(-1).sum().backward()
        except SystemExit:
            return
        except Exception as error:  # whatever a model raises
            raise ValueError(
                f"the model cannot be trained with training.batch_size={config.batch_size} and "
                f"training.accumulation_steps={config.accumulation_steps}, whose smallest part has "
                f"{smallest_part(config)} images: {one_line(error, most=200)}"
            ) from error


def smallest_part(config: TrainingConfig, *, processes: int = 1) -> int:
    """Return the images of the smallest part of a batch, as torch.chunk makes them.

    >>> smallest_part(TrainingConfig(batch_size=10, accumulation_steps=4))
    1
    """
    batch = max(1, config.batch_size // processes)
    size = -(-batch // config.accumulation_steps)
    return batch - size * (-(-batch // size) - 1)
