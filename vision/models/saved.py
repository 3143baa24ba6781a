"""A trained model as a folder in timm's format: config.json, and the weights in model.safetensors.

>>> from tempfile import mkdtemp
>>> folder, arguments = mkdtemp(), {"img_size": 8, "in_chans": 1, "embed_dim": 16}
>>> model = timm.create_model("field_cnn", **arguments)
>>> save_model(model, folder, arguments=arguments, input_size=(1, 8, 8), mean=(0.3,), std=(0.5,))
>>> load_model(folder).num_features
16
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import save_for_hf  # pyright: ignore[reportUnknownVariableType]
from torch import nn

from vision.models.registry import FACTORY_ARGUMENTS

CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True)
class SavedModel:
    """The contents of a model's folder.

    Attributes:
        name: the model's name in timm's registry.
        arguments: those of its constructor.
        num_classes: width of its head.
        images: mean, std and input_size (C, H, W) of the images that it was trained on.
        weights: the file that holds its weights.
    """

    name: str
    arguments: dict[str, Any]
    num_classes: int
    images: dict[str, Any]
    weights: Path


def save_model(
    model: nn.Module,
    folder: str | Path,
    *,
    arguments: Mapping[str, Any],
    input_size: tuple[int, int, int],
    mean: Sequence[float],
    std: Sequence[float],
) -> None:
    """Write a model of timm's registry into a folder, which is made where it does not exist.

    `timm.create_model("local-dir:FOLDER", pretrained=True)` and `load_model` read it, and
    `timm.data.resolve_model_data_config` returns the preprocessing, which `pretrained_cfg` then holds.

    Args:
        model: built by an entry point that calls `timm.models.build_model_with_cfg`. Its weights become
            contiguous, if training has left them in channels_last.
        folder: where to write.
        arguments: the constructor's, as numbers, strings, lists and dicts of them. Those of
            `timm.create_model` itself, such as pretrained, are left out: the folder has weights of its own.
        input_size: (C, H, W) of the images that it was trained on.
        mean: mean of each channel that these images were normalized with.
        std: standard deviation of each channel.
    """
    images = {"mean": tuple(mean), "std": tuple(std), "input_size": input_size, "crop_pct": 1.0}
    registered: Any = model
    registered.pretrained_cfg = {**registered.pretrained_cfg, **images}
    registered.to(memory_format=torch.contiguous_format)  # safetensors stores no other
    save_for_hf(registered, str(folder), model_args=_own(arguments), safe_serialization=True)


def read_saved(folder: str | Path) -> SavedModel:
    """Read what a model's folder contains, without building the model.

    Raises:
        ValueError: config.json or model.safetensors is missing.
    """
    folder = Path(folder)
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise ValueError(
                f"{folder} holds no {file}; give the folder of a finished run, "
                "such as outputs/demo/CNN/n1200/s0"
            )
    config = json.loads((folder / CONFIG).read_text())
    return SavedModel(
        name=config["architecture"],
        arguments=_own(config.get("model_args", {})),
        num_classes=config["num_classes"],
        images={key: config["pretrained_cfg"][key] for key in ("mean", "std", "input_size")},
        weights=folder / WEIGHTS,
    )


def load_model(folder: str | Path, **changes: Any) -> nn.Module:
    """Build the model of a folder with its weights.

    Args:
        folder: written by `save_model`, such as a finished run's.
        changes: arguments of `timm.create_model` that replace the saved ones; with another `num_classes`
            the head is new.

    Raises:
        ValueError: config.json or model.safetensors is missing.
    """
    saved = read_saved(folder)
    config = json.loads((Path(folder) / CONFIG).read_text())
    if saved.arguments == config.get("model_args", {}):
        return timm.create_model(f"local-dir:{folder}", pretrained=True, **changes)
    # Earlier versions saved the factory's arguments too, which timm then finds twice.
    known = {**config["pretrained_cfg"], "num_classes": saved.num_classes, "file": str(saved.weights)}
    return timm.create_model(saved.name, True, pretrained_cfg=known, **{**saved.arguments, **changes})


def _own(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a model's constructor, without those of timm's factory."""
    return {key: value for key, value in arguments.items() if key not in FACTORY_ARGUMENTS}
