"""The model of a run: its arguments, which the data complete, and its first weights."""

from pathlib import Path

from torch import nn

from vision.config import ModelConfig
from vision.data import Source
from vision.dynamic import Arguments
from vision.models import (
    Cost,
    Start,
    complete_arguments,
    cost_warning,
    create_model,
    describe_grid,
    read_published,
    read_start,
    start_arguments,
    start_model,
)
from vision.soften import is_softened, start_from


def find_start(config: ModelConfig) -> Start | None:
    """Return the weights that the model starts with, or None for random ones.

    Raises:
        ValueError: they cannot be found; the message names the setting.
    """
    if config.pretrained:
        try:
            return read_published(config.name, config.kwargs.get("pretrained_cfg_overlay"))
        except ValueError as error:
            raise ValueError(f"model.pretrained=true: {error}") from error
    if not config.init_from:
        return None
    try:
        return read_start(config.init_from)
    except ValueError as error:
        hint = "if it is a run of this sweep, it failed or has not finished: rerun the sweep"
        is_missing = not Path(config.init_from).exists() and ":" not in config.init_from
        raise ValueError(f"model.init_from: {error}{f'; {hint}' if is_missing else ''}") from error


def build_model(config: ModelConfig, arguments: Arguments, start: Start | None = None) -> nn.Module:
    """Return the model with its first weights.

    Args:
        config: of the model.
        arguments: of its constructor, from `model_arguments`.
        start: the weights that it starts with, from `find_start`.

    Raises:
        ValueError: the model cannot be saved, or the weights that it should start with do not fit.
    """
    try:
        model = _build(config.name, arguments, start)
    except ValueError as error:
        if start is None or start.config is not None:
            raise
        raise ValueError(f"model.init_from={config.init_from}: {error}") from error
    if not (hasattr(model, "pretrained_cfg") and hasattr(model, "num_features")):
        raise ValueError(
            f"model.name={config.name!r} cannot be saved: its entry point must build it with "
            "timm.models.build_model_with_cfg, and it needs num_features, see docs/extending.md"
        )
    return model


def model_arguments(config: ModelConfig, source: Source, start: Start | None = None) -> Arguments:
    """Return all arguments of the model's constructor for the images of a source."""
    channels, height, width = source.train.shape
    arguments: Arguments = {
        **config.kwargs,
        "img_size": height if height == width else (height, width),
        "in_chans": channels,
        "num_classes": len(source.classes),
    }
    if start is None:
        return complete_arguments(config.name, **arguments)
    return start_arguments(config.name, start, **arguments)


def _build(name: str, arguments: Arguments, start: Start | None) -> nn.Module:
    if start is None:
        return create_model(name, **arguments)
    if start.saved is None or not is_softened(name) or is_softened(start.saved.name):
        return start_model(name, arguments, start)
    model = create_model(name, **arguments)
    start_from(model, start.saved.config.parent)
    return model


def folder_size(model: nn.Module, test_images: int, classes: int) -> int:
    """Return about how many bytes the files of a run need: weights, outputs for the test images, and 1 MB."""
    weights = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    return weights + (8 + 2 * classes) * test_images + 2**20


def describe(model: nn.Module, shape: tuple[int, int, int], size: Cost) -> str:
    """Return the grid and cost of a model in words, and a warning if it is out of proportion."""
    words = f"{size.params:,} parameters for images of {shape[1]} x {shape[2]} pixels"
    parts = (describe_grid(model, shape), words, cost_warning(model, shape, size.macs))
    return "; ".join(part for part in parts if part)
