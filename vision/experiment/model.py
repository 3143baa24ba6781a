"""The model of a run: its arguments, which the data complete, and its first weights."""

from pathlib import Path
from typing import Any

from torch import nn

from vision import results
from vision.config import ModelConfig
from vision.data import Source
from vision.models import complete_arguments, create_model, describe_grid, too_many_tokens
from vision.soften import start_from


def build_model(config: ModelConfig, source: Source) -> tuple[nn.Module, dict[str, Any]]:
    """Return the model with its first weights, and all arguments of its constructor."""
    arguments = model_arguments(config, source)
    model = create_model(config.name, **arguments)
    if not (hasattr(model, "pretrained_cfg") and hasattr(model, "num_features")):
        raise ValueError(
            f"model.name={config.name!r} cannot be saved: its entry point must build it with "
            "timm.models.build_model_with_cfg, and it needs num_features, see docs/extending.md"
        )
    if config.init_from:
        _load_start(model, config.init_from)
    return model, arguments


def model_arguments(config: ModelConfig, source: Source) -> dict[str, Any]:
    """Return all arguments of the model's constructor for the images of a source."""
    channels, height, width = source.train.shape
    return complete_arguments(
        config.name,
        img_size=height if height == width else (height, width),
        in_chans=channels,
        num_classes=len(source.classes),
        **config.kwargs,
    )


def folder_size(model: nn.Module, test_images: int, classes: int) -> int:
    """Return about how many bytes the files of a run need: weights, outputs for the test images, and 1 MB."""
    weights = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    return weights + (8 + 2 * classes) * test_images + 2**20


def describe(model: nn.Module, shape: tuple[int, int, int]) -> str:
    """Return the grid and size of a model in words, and a warning if its cost is out of proportion."""
    params = sum(p.numel() for p in model.parameters() if p.requires_grad)
    size = f"{params:,} parameters for images of {shape[1]} x {shape[2]} pixels"
    parts = (describe_grid(model, shape), size, too_many_tokens(model, shape))
    return "; ".join(part for part in parts if part)


def _load_start(model: nn.Module, run_folder: str) -> None:
    if not (Path(run_folder) / results.RESULT).is_file():
        raise ValueError(
            f"model.init_from must be the folder of a finished run, got {run_folder}; if it is a run of this "
            "sweep, it failed or has not finished: rerun the sweep"
        )
    try:
        start_from(model, run_folder)
    except ValueError as error:
        raise ValueError(f"model.init_from={run_folder} does not fit this model: {error}") from error
