"""The model that a command names, with the weights that its options name.

>>> model, note = build_with_weights(find_model("resnet18"), None, False)
"""

from pathlib import Path

import torch
from torch import nn

from vision.cli.images import SEED
from vision.convert.fold_norms import is_norm
from vision.models.checkpoint import load_checkpoint
from vision.models.sources import ModelSource, build_model


def build_with_weights(
    found: ModelSource, checkpoint: Path | None, pretrained: bool
) -> tuple[nn.Module, str]:
    """The model that a command names, and what to say of its weights.

    Raises:
        ValueError: two sources of weights are given, or the weights do not fit.
        FileNotFoundError: there is no such checkpoint.
    """
    if checkpoint is not None and pretrained:
        raise ValueError(f"--pretrained and --checkpoint {checkpoint} are two sources of weights; give one")
    if found.weights is not None and (checkpoint is not None or pretrained):
        raise ValueError(f"the weights are those of {found.weights}; leave out --checkpoint and --pretrained")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = build_model(found.name, pretrained=pretrained, **found.arguments)
        if checkpoint is None and found.weights is None and not pretrained:
            _randomise_norms(model)
    file = checkpoint or found.weights
    if file is not None:
        load_checkpoint(model, file)
        return model, f"weights from {file}"
    if pretrained:
        return model, f"weights as published for {found.name}"
    given = "give --checkpoint or --pretrained for others"
    return model, f"the weights are random (seed {SEED}), batch norms' statistics as well; {given}"


def _randomise_norms(model: nn.Module) -> None:
    """As they start, with mean 0, variance 1 and often a scale of 0, folding them would change nothing."""
    ranges = {
        "weight": (0.5, 1.5),
        "running_var": (0.5, 1.5),
        "bias": (-0.5, 0.5),
        "running_mean": (-0.5, 0.5),
    }
    for norm in filter(is_norm, model.modules()):
        for name, (low, high) in ranges.items():
            if (tensor := getattr(norm, name, None)) is not None:
                tensor.data.uniform_(low, high)
