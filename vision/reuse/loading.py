"""Load a trained model with its classes and its preprocessing, from a run, a folder or the Hub.

>>> load("hf-hub:timm/resnet18.a1_in1k").predict("cat.jpg").name  # doctest: +SKIP
'tabby, tabby cat'
"""

import json
from pathlib import Path
from typing import Any, cast

import timm
import torch
from timm.data import imagenet_info
from timm.data.config import resolve_data_config  # pyright: ignore[reportUnknownVariableType]

from vision.argument_types import checked
from vision.data.inputs import per_channel
from vision.dynamic import Arguments, JsonObject
from vision.models import load_model
from vision.models.saved import EVALUATION, SavedModel, read_saved
from vision.models.timm_model import TimmModel
from vision.results import RESULT
from vision.reuse.reading import reading_of
from vision.reuse.trained_model import TrainedModel
from vision.text import first_line


@checked
def load(name: str | Path, *, device: torch.device | str = "cpu", **changes: Any) -> TrainedModel:
    """Load a trained model.

    Args:
        name: the folder of a finished run, local-dir:FOLDER, or hf-hub:NAME.
        device: where the model is.
        changes: arguments of `timm.create_model` that replace the saved ones, such as in_chans, img_size and
            num_classes; the weights are adapted, and with another num_classes the head is new.

    Raises:
        ValueError: there is no such model or device, the model has no weights, or a change does not fit it.
    """
    _check_device(device)
    if unfit := [name for name in ("features_only", "pretrained") if name in changes]:
        raise ValueError(
            f"load returns a trained classifier, got {unfit[0]}={changes[unfit[0]]!r}; "
            'timm.create_model("local-dir:FOLDER", pretrained=True, ...) takes it'
        )
    changes = {key: value for key, value in changes.items() if value is not None}  # as timm
    saved = read_saved(name)
    model: Any = load_model(name, **_of_constructor(saved, changes)).eval().to(device)
    names, config = _class_names(saved, model.num_classes), _data_config(saved, model, changes)
    model.pretrained_cfg = {**model.pretrained_cfg, **config}  # kept when timm saves the model again
    return TrainedModel(model, names, config, reading_of(saved.decoding))


def _check_device(device: torch.device | str) -> None:
    try:
        torch.empty(1, device=device)
    except (AssertionError, RuntimeError) as error:  # torch without CUDA asserts
        reason = first_line(error)
        raise ValueError(
            f"device must be one of this machine, such as cpu, got {str(device)!r}: {reason}"
        ) from error


def _of_constructor(saved: SavedModel, changes: Arguments) -> Arguments:
    """Return the changes without an img_size for a model that takes images of any size, such as a CNN."""
    known = timm.get_pretrained_cfg(saved.name)
    fixed = known is None or known.fixed_input_size or "img_size" in saved.arguments
    return {key: value for key, value in changes.items() if key != "img_size" or fixed}


def _class_names(saved: SavedModel, num_classes: int) -> tuple[str, ...]:
    """Return the names of the classes: the saved ones, ImageNet's, or numbers."""
    names, run = saved.label_names, saved.config.with_name(RESULT)
    if not names and run.is_file():  # of an earlier version
        names = tuple(json.loads(run.read_text()).get("classes") or ())
    if len(names) == num_classes:
        return names
    known: Any = imagenet_info  # its types are partly unknown
    own_head = not names and not run.is_file() and num_classes == saved.num_classes
    subset = known.infer_imagenet_subset({"num_classes": num_classes}) if own_head else None
    if subset is not None:
        info = known.ImageNetInfo(subset)
        return tuple(info.index_to_description(index) for index in range(num_classes))
    return tuple(f"class {index}" for index in range(num_classes))


def _data_config(saved: SavedModel, model: TimmModel, changes: Arguments) -> JsonObject:
    """Return timm's data config of a model, for the channels and the size that it was built with."""
    config = JsonObject(cast(Any, resolve_data_config)(pretrained_cfg=model.pretrained_cfg))
    channels, side = changes.get("in_chans", config["input_size"][0]), changes.get("img_size")
    side = config["input_size"][1:] if side is None else side
    config["input_size"] = (channels, *((side, side) if isinstance(side, int) else side))
    for key in ("mean", "std"):
        config[key] = tuple(per_channel(config[key], channels))
    if saved.config.with_name(RESULT).is_file():  # also one of an earlier version, which did not say so
        config |= EVALUATION
    return config
