"""Any model by its name: timm's, ours among them, torchvision's, and what a run of this suite has saved.

>>> found = find_model("torchvision/squeezenet1_1", num_classes=10)
>>> build_model(found.name, **found.arguments).num_classes
10
"""

import difflib
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torchvision
from torch import nn

from vision.models.registry import create_model
from vision.models.saved import read_saved

TORCHVISION = "torchvision/"
# The size of the images is the model's own in these families of torchvision, under two names.
_IMAGE_SIZE, _INPUT_SIZE = ("vit_",), ("maxvit",)
_AUXILIARY = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class ModelSource:
    """What a name stands for.

    Attributes:
        name: a name that `build_model` takes.
        arguments: how to build it; plain numbers and strings, so that a file can hold them.
        weights: the file of the weights, where the name was a run's folder.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    weights: Path | None = None


def find_model(name: str, *, img_size: int | None = None, num_classes: int | None = None) -> ModelSource:
    """What a name of a model stands for: in timm's registry, torchvision/NAME, or the folder of a run.

    Args:
        name: the name, or the folder of a finished run.
        img_size: side of the images in pixels, passed on to a model that is built for one size.
        num_classes: number of outputs; None is the model's own.

    Raises:
        ValueError: the name is unknown, near ones are suggested; or another number of classes or
            size of images than a run's model has is given.
    """
    if not _is_known(name) and Path(name).is_dir():
        return _of_run(Path(name), num_classes, img_size)
    _check_name(name)
    arguments: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
    bare = name.removeprefix(TORCHVISION)
    if bare == name:
        config = timm.get_pretrained_cfg(name)
        if img_size is not None and config is not None and config.fixed_input_size:
            arguments["img_size"] = img_size
        return ModelSource(name, arguments)
    if bare in _AUXILIARY:  # as torchvision builds them for its own weights
        arguments |= {"aux_logits": False, "init_weights": False, "transform_input": True}
    if img_size is not None and bare.startswith(_IMAGE_SIZE):
        arguments["image_size"] = img_size
    if img_size is not None and bare.startswith(_INPUT_SIZE):
        arguments["input_size"] = [img_size, img_size]
    return ModelSource(name, arguments)


def build_model(name: str, *, pretrained: bool = False, **arguments: Any) -> nn.Module:
    """The model `name`, of timm's registry or as torchvision/NAME, with random or published weights.

    Args:
        name: as `ModelSource.name`.
        pretrained: with the weights that its library publishes, which are fetched where they are not cached.
        arguments: for the model's own constructor.

    Raises:
        ValueError: the name is unknown, near ones are suggested; an argument is not taken; or there are no
            published weights to be had.
    """
    _check_name(name)
    if not pretrained:
        return _build(name, pretrained, arguments)
    try:
        return _build(name, pretrained, arguments)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"no published weights for {name!r} could be had: {type(error).__name__}: {reason}"
        ) from error


def _check_name(name: str) -> None:
    """Raise a ValueError with near names of both registries where `build_model` does not know a name."""
    if _is_known(name):
        return
    full = {one: [one] for one in timm.list_models()}
    for one in torchvision.models.list_models():
        full.setdefault(one, []).append(f"{TORCHVISION}{one}")
    bare = name.removeprefix(TORCHVISION)
    near = [one for close in difflib.get_close_matches(bare, full, n=4, cutoff=0.5) for one in full[close]]
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise ValueError(
        f"NAME must be a model of timm's, torchvision/NAME or the folder of a finished run, got {name!r}; "
        f"{hint}`vision models 'resnet*'` lists timm's"
    )


def _is_known(name: str) -> bool:
    if name.startswith(TORCHVISION):
        return name.removeprefix(TORCHVISION) in torchvision.models.list_models()
    return timm.is_model(name)


def _build(name: str, pretrained: bool, arguments: dict[str, Any]) -> nn.Module:
    if not name.startswith(TORCHVISION):
        return create_model(name, pretrained=pretrained, **arguments)
    bare = name.removeprefix(TORCHVISION)
    known = inspect.signature(torchvision.models.get_model_builder(bare)).parameters
    backbone = {"weights_backbone": None} if "weights_backbone" in known else {}
    try:
        weights = "DEFAULT" if pretrained else None
        return torchvision.models.get_model(bare, weights=weights, **backbone, **arguments)
    except TypeError as error:
        raise ValueError(f"model {name!r} does not take the arguments {arguments}: {error}") from error


def _of_run(folder: Path, num_classes: int | None, img_size: int | None) -> ModelSource:
    """The model in a run's folder: the constructor, its arguments and the weights."""
    saved = read_saved(folder)
    if num_classes not in (None, saved.num_classes):
        raise ValueError(f"the model in {folder} has {saved.num_classes} classes, got {num_classes}")
    built_for = saved.arguments.get("img_size")
    if img_size is not None and built_for not in (None, img_size, [img_size, img_size]):
        sides = " x ".join(map(str, built_for if isinstance(built_for, list) else [built_for, built_for]))
        raise ValueError(f"the model in {folder} is built for images of {sides} pixels, got {img_size}")
    _check_name(saved.name)
    return ModelSource(saved.name, {**saved.arguments, "pretrained_cfg_overlay": saved.images}, saved.weights)
