"""The files of a finished run next to its record: the model, its predictions and its logits."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vision import results
from vision.data import Inputs
from vision.dynamic import Arguments
from vision.models import save_model
from vision.training import Scores


def save_outputs(
    model: nn.Module, arguments: Arguments, inputs: Inputs, test: Scores, folder: Path, *, logits: bool
) -> None:
    """Write the model, and its predictions next to the true classes."""
    shape, classes = inputs.source.train.shape, inputs.source.classes
    results.release(folder)
    save_model(
        model,
        folder,
        arguments=arguments,
        input_size=shape,
        mean=inputs.mean,
        std=inputs.std,
        label_names=classes,
        decoding={"background": inputs.config.background, "ranges": asdict(inputs.source.ranges)},
    )
    _save_classes(folder / results.PREDICTIONS, test.predictions, classes)
    _save_classes(folder / results.LABELS, inputs.test.labels, classes)
    if logits:
        _save_logits(folder / results.LOGITS, test.logits)


def _save_classes(path: Path, indices: Tensor, classes: Sequence[str]) -> None:
    """Write class indices (N,) in the smallest integer type that holds them."""
    np.save(path, indices.numpy().astype(np.min_scalar_type(len(classes) - 1)))


def _save_logits(path: Path, logits: Tensor) -> None:
    """Write logits (N, classes) as float16, which keeps three decimal digits; the largest become 65,504."""
    largest = torch.finfo(torch.float16).max
    np.save(path, logits.clamp(-largest, largest).half().numpy())
