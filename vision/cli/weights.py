"""The model that a command names, with the weights that its options name.

>>> build_with_weights(ModelChoice("resnet10t")).source.name
'resnet10t'
"""

from typing import NamedTuple

import torch
from torch import nn

from vision.cli.images import SEED
from vision.cli.model_arguments import ModelChoice
from vision.convert import is_norm
from vision.models.checkpoint import load_checkpoint
from vision.models.sources import ModelSource, build_model, find_model

# Ranges of random statistics and weights of batch norms.
NORM_RANGES = {
    "weight": (0.5, 1.5),
    "running_var": (0.5, 1.5),
    "bias": (-0.5, 0.5),
    "running_mean": (-0.5, 0.5),
}


class BuiltModel(NamedTuple):
    """A model, where it comes from, and a note that describes its weights."""

    source: ModelSource
    model: nn.Module
    note: str


def build_with_weights(choice: ModelChoice) -> BuiltModel:
    """Build a model and load its weights.

    Raises:
        ValueError: there is no such model, two sources of weights are given, or the weights do not fit.
        FileNotFoundError: the checkpoint does not exist.
    """
    name, checkpoint, pretrained, input_size, classes = choice
    source = find_model(name, img_size=input_size, num_classes=classes)
    if checkpoint is not None and pretrained:
        raise ValueError(f"--pretrained and --checkpoint {checkpoint} are two sources of weights; give one")
    if source.weights is not None and (checkpoint is not None or pretrained):
        raise ValueError(f"the weights come from {source.weights}; leave out --checkpoint and --pretrained")
    file = checkpoint or source.weights
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.manual_seed(SEED)  # pyright: ignore[reportUnknownMemberType]
        model = build_model(source.name, pretrained=pretrained, **source.arguments)
        if file is None and not pretrained:
            _randomize_norms(model)
    if file is not None:
        load_checkpoint(model, file)
        return BuiltModel(source, model, f"weights from {file}")
    if pretrained:
        return BuiltModel(source, model, f"weights as published for {source.name}")
    more = "give --checkpoint or --pretrained for others"
    note = f"the weights are random (seed {SEED}), including the batch norms' statistics; {more}"
    return BuiltModel(source, model, note)


def _randomize_norms(model: nn.Module) -> None:
    """Draw the batch norms' weights: folding fresh ones (mean 0, variance 1) would change nothing."""
    for norm in filter(is_norm, model.modules()):
        for name, (low, high) in NORM_RANGES.items():
            tensor = getattr(norm, name, None)
            if tensor is not None:
                tensor.data.uniform_(low, high)
