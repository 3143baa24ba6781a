"""Checks of a run's recipe with its data: batches, augmentation, metrics, optimizer and schedule.

>>> check_images(config, (3, 32, 32), torch.device("cpu"))  # doctest: +SKIP
"""

from dataclasses import replace

import torch

from vision.checks.memory import gigabytes, memory_of
from vision.checks.sentence import in_a_sentence
from vision.config import RunConfig
from vision.data import Inputs
from vision.experiment import OwnMetrics
from vision.training import try_recipe


def check_images(run: RunConfig, shape: tuple[int, int, int], device: torch.device) -> None:
    """Refuse padding beyond the images (C, H, W), and batches that no memory holds."""
    channels, height, width = shape
    padding, side = run.data.augment.crop_padding, min(height, width)
    if padding >= side:
        raise ValueError(
            f"data.augment.crop_padding must be below the images' side of {side} pixels, got {padding}"
        )
    needed, memory = 4 * run.training.batch_size * channels * height * width, memory_of(device)
    if needed > memory:
        raise ValueError(
            f"training.batch_size={run.training.batch_size} needs {gigabytes(needed)} for the images of a "
            f"batch alone, and {device} has {gigabytes(memory)} of memory; give a smaller one"
        )


def check_recipe(run: RunConfig, inputs: Inputs) -> None:
    """Refuse augmentation, metrics, an optimizer or a schedule with which no step can be made."""
    channels, classes = inputs.source.train.shape[0], len(inputs.source.classes)
    mean, std = ([0.5] * channels if given is None else given for given in (run.data.mean, run.data.std))
    batches = replace(inputs, mean=mean, std=std).train_batches(run.training.batch_size, seed=0)
    policy = run.data.augment.policy
    own = policy is not None and ":" in policy
    if inputs.source.train.resident or own:  # others would start processes
        with in_a_sentence(f"data.augment.policy={policy} cannot be {'called' if own else 'done'}"):
            next(iter(batches))
    with in_a_sentence(f"training.metrics={run.training.metrics} cannot be called"):
        OwnMetrics(run.training)(torch.randn(4 * classes, classes), torch.arange(classes).repeat(4))
    try_recipe(run.training)
