"""Any model by its name: of timm's registry, with ours, of torchvision, or saved by a run.

>>> source = find_model("torchvision/squeezenet1_1", num_classes=10)
>>> build_model(source.name, **source.arguments).num_classes
10
"""

import difflib
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import timm
import torchvision  # pyright: ignore[reportMissingTypeStubs]
from torch import nn

from vision.dynamic import Arguments
from vision.models.registry import create_model
from vision.models.saved import read_saved
from vision.text import first_line, one_line

TORCHVISION = "torchvision/"
# The families of torchvision that are built for one image size, by the name of that argument.
_IMAGE_SIZE, _INPUT_SIZE = ("vit_",), ("maxvit",)
_AUXILIARY = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class ModelSource:
    """How to build a model.

    Attributes:
        name: a name that `build_model` accepts.
        arguments: of its constructor; numbers and strings, so that a file can hold them.
        weights: the file with the weights, if the name was a run's folder.
    """

    name: str
    arguments: Arguments = field(default_factory=Arguments)
    weights: Path | None = None


def find_model(name: str, *, img_size: int | None = None, num_classes: int | None = None) -> ModelSource:
    """Return how to build the model with a name: in timm's registry, torchvision/NAME, or a run's folder.

    Args:
        name: the name, or the folder of a finished run.
        img_size: side of the images in pixels, for models that are built for one size.
        num_classes: number of outputs; None means the model's default.

    Raises:
        ValueError: the name is unknown (the message suggests similar ones), or num_classes or img_size differ
            from those of the run's model.
    """
    if not _is_known(name) and Path(name).is_dir():
        return _of_run(Path(name), num_classes, img_size)
    _check_name(name)
    arguments: Arguments = {} if num_classes is None else {"num_classes": num_classes}
    bare = name.removeprefix(TORCHVISION)
    if bare == name:
        config = timm.get_pretrained_cfg(name)
        if img_size is not None and config is not None and config.fixed_input_size:
            arguments["img_size"] = img_size
        return ModelSource(name, arguments)
    if bare in _AUXILIARY:  # as torchvision does for its own weights
        arguments |= {"aux_logits": False, "init_weights": False, "transform_input": True}
    if img_size is not None and bare.startswith(_IMAGE_SIZE):
        arguments["image_size"] = img_size
    if img_size is not None and bare.startswith(_INPUT_SIZE):
        arguments["input_size"] = [img_size, img_size]
    return ModelSource(name, arguments)


def build_model(name: str, *, pretrained: bool = False, **arguments: Any) -> nn.Module:
    """Build the model `name`, of timm's registry or as torchvision/NAME, with random or published weights.

    Args:
        name: as in `ModelSource`.
        pretrained: load the weights published by its library, which are downloaded if they are not cached.
        arguments: of the model's constructor.

    Raises:
        ValueError: the name is unknown (the message suggests similar ones), an argument is not accepted, or
            the published weights are not available.
    """
    _check_name(name)
    if not pretrained:
        return _build(name, pretrained, arguments)
    try:
        return _build(name, pretrained, arguments)
    except Exception as error:
        reason = first_line(error)
        raise ValueError(
            f"the published weights of {name!r} are not available: {type(error).__name__}: {reason}"
        ) from error


def _check_name(name: str) -> None:
    """Raise a ValueError that suggests names of both registries where `build_model` does not know a name."""
    if _is_known(name):
        return
    known = {model: [model] for model in timm.list_models()}
    for model in torchvision.models.list_models():
        known.setdefault(model, []).append(f"{TORCHVISION}{model}")
    close = difflib.get_close_matches(name.removeprefix(TORCHVISION), known, n=4, cutoff=0.5)
    near = [model for bare in close for model in known[bare]]
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise ValueError(
        f"{name!r} is neither a model of timm or torchvision/NAME nor the folder of a finished run; "
        f"{hint}`vision models 'resnet*'` lists timm's"
    )


def _is_known(name: str) -> bool:
    if name.startswith(TORCHVISION):
        return name.removeprefix(TORCHVISION) in torchvision.models.list_models()
    return timm.is_model(name)


def _build(name: str, pretrained: bool, arguments: Arguments) -> nn.Module:
    if not name.startswith(TORCHVISION):
        return create_model(name, pretrained=pretrained, **arguments)
    bare = name.removeprefix(TORCHVISION)
    known = inspect.signature(torchvision.models.get_model_builder(bare)).parameters
    backbone = {"weights_backbone": None} if "weights_backbone" in known else {}
    try:
        weights = "DEFAULT" if pretrained else None
        return torchvision.models.get_model(bare, weights=weights, **backbone, **arguments)
    except TypeError as error:
        reason = one_line(error, most=300)  # torch's has several lines
        raise ValueError(f"model {name!r} does not take the arguments {arguments}: {reason}") from error


def _of_run(folder: Path, num_classes: int | None, img_size: int | None) -> ModelSource:
    """The model in a run's folder: the constructor, its arguments and the weights."""
    saved = read_saved(folder)
    if num_classes not in (None, saved.num_classes):
        raise ValueError(f"the model in {folder} has {saved.num_classes} classes, got {num_classes}")
    built_for = saved.arguments.get("img_size")
    if img_size is not None and built_for not in (None, img_size, [img_size, img_size]):
        height, width = cast(list[int], built_for if isinstance(built_for, list) else [built_for] * 2)
        raise ValueError(
            f"the model in {folder} is built for images of {height} x {width} pixels, got {img_size}"
        )
    _check_name(saved.name)
    return ModelSource(saved.name, {**saved.arguments, "pretrained_cfg_overlay": saved.images}, saved.weights)
