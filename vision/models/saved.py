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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import timm
import torch
from timm.models import PretrainedCfg, save_for_hf  # pyright: ignore[reportUnknownVariableType]
from timm.models._hub import load_model_config_from_path  # pyright: ignore[reportUnknownVariableType]
from torch import nn

from vision.dynamic import Arguments, JsonObject
from vision.models.any_size import check_img_size
from vision.models.bounds import check_bounds
from vision.models.registry import FACTORY_ARGUMENTS
from vision.models.timm_model import TimmModel
from vision.saved_files import CONFIG as CONFIG
from vision.saved_files import WEIGHTS as WEIGHTS
from vision.saved_files import find_saved
from vision.text import one_line

# How the images of a run are evaluated, in timm's words: their central square, resized.
EVALUATION = {"crop_pct": 1.0, "crop_mode": "center", "interpolation": "bilinear"}
_DEFAULTS = PretrainedCfg()
_IMAGES = {"mean": _DEFAULTS.mean, "std": _DEFAULTS.std, "input_size": _DEFAULTS.input_size}


@dataclass(frozen=True)
class SavedModel:
    """The contents of a model's folder.

    Attributes:
        name: the model's name in timm's registry.
        arguments: those of its constructor.
        num_classes: width of its head.
        images: mean, std and input_size (C, H, W) of the images that it was trained on.
        weights: the file that holds its weights.
        config: its config.json.
        label_names: the names of its classes; none in folders of earlier versions.
        decoding: what `save_model` was given.
    """

    name: str
    arguments: Arguments
    num_classes: int
    images: JsonObject
    weights: Path
    config: Path
    label_names: tuple[str, ...] = ()
    decoding: JsonObject = field(default_factory=JsonObject)


def save_model(
    model: nn.Module,
    folder: str | Path,
    *,
    arguments: Mapping[str, object],
    input_size: tuple[int, int, int],
    mean: Sequence[float],
    std: Sequence[float],
    label_names: Sequence[str] = (),
    decoding: Mapping[str, object] | None = None,
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
        label_names: the names of the classes, in the order of the outputs.
        decoding: further things to know about how the images were read, as JSON can hold them.
    """
    images = {"mean": tuple(mean), "std": tuple(std), "input_size": input_size, **EVALUATION}
    registered = cast(TimmModel, model)
    registered.pretrained_cfg = {**registered.pretrained_cfg, **images}
    registered.pretrained_cfg.pop("label_names", None)  # of the weights that it started with
    registered.pretrained_cfg.pop("label_descriptions", None)
    if label_names:
        registered.pretrained_cfg["label_names"] = list(label_names)  # kept when timm saves the model again
    more = {"label_names": list(label_names)} if label_names else {}
    model.to(memory_format=torch.contiguous_format)  # safetensors stores no other
    save_for_hf(
        model,
        str(folder),
        model_args=_own(arguments),
        model_config=more | ({"decoding": dict(decoding)} if decoding else {}),
        safe_serialization=True,
    )


def read_saved(name: str | Path) -> SavedModel:
    """Read what a model's folder contains, without building the model.

    Args:
        name: the folder of a finished run, local-dir:FOLDER or hf-hub:NAME.

    Raises:
        ValueError: config.json or the weights are missing, or config.json is not timm's.
    """
    files = find_saved(name)
    if files.config is None:
        raise ValueError(f"{name} holds weights alone; give a folder with {CONFIG} too")
    config, architecture, arguments = _timm_config(files.config)
    names: Sequence[str] | dict[str, str] = config.get("label_names") or ()
    return SavedModel(
        name=architecture,
        arguments=_own(arguments),
        num_classes=config["num_classes"],
        images={key: list(config[key]) for key in ("mean", "std", "input_size")},
        weights=files.weights,
        config=files.config,
        label_names=tuple(names.values() if isinstance(names, dict) else names),
        decoding=json.loads(files.config.read_text()).get("decoding") or {},
    )


def load_model(name: str | Path, **changes: Any) -> nn.Module:
    """Build a saved model with its weights.

    Args:
        name: a folder written by `save_model`, such as a finished run's, local-dir:FOLDER, or hf-hub:NAME.
        changes: arguments of `timm.create_model` that replace the saved ones; with another `num_classes`
            the head is new.

    Raises:
        ValueError: config.json or the weights are missing, or a change does not fit the model.
    """
    check_bounds(**changes)
    check_img_size(changes.get("img_size"))
    saved = read_saved(name)
    if not timm.is_model(saved.name):
        raise ValueError(
            f"the model in {name} is {saved.name!r}, which is not in timm's registry; for one of your own, "
            "import its module first"
        )
    try:
        return _load(saved, changes)
    except (RuntimeError, TypeError) as error:
        if not changes:
            raise
        reason = one_line(error, most=300)  # torch's has several lines
        raise ValueError(f"the model in {name} cannot be loaded with {changes}: {reason}") from error


def _load(saved: SavedModel, changes: Arguments) -> nn.Module:
    if saved.arguments == json.loads(saved.config.read_text()).get("model_args", {}):
        return timm.create_model(f"local-dir:{saved.config.parent}", pretrained=True, **changes)
    # Earlier versions saved the factory's arguments too, which timm then finds twice.
    config, *_ = _timm_config(saved.config)
    known = {**config, "num_classes": saved.num_classes, "file": str(saved.weights), "source": ""}
    return timm.create_model(saved.name, True, pretrained_cfg=known, **{**saved.arguments, **changes})


def _timm_config(file: Path) -> tuple[JsonObject, str, Arguments]:
    """Return timm's pretrained_cfg, the name and the arguments in a config.json."""
    try:
        config, name, arguments = cast(Any, load_model_config_from_path)(file.parent)
        return {"num_classes": 1000, **_IMAGES, **config}, name, arguments or {}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} is not a config that timm has written: {error!r}") from error


def _own(arguments: Mapping[str, object]) -> Arguments:
    """Return the arguments of a model's constructor, without those of timm's factory."""
    return {key: value for key, value in arguments.items() if key not in FACTORY_ARGUMENTS}
