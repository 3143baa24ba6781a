"""One way to build any model of timm's registry for given images.

>>> complete_arguments("field_cnn", img_size=32, in_chans=3, num_classes=10)["patch_size"]
4
"""

import difflib
import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any, cast

import timm
import torch
from torch import nn

from vision.argument_types import checked
from vision.dynamic import Arguments
from vision.models.any_size import check_img_size
from vision.models.small_images import small_image_arguments, token_patch
from vision.models.stage_widths import stage_widths
from vision.patches import Size, padding_of, pair
from vision.saved_files import FOLDER, HUB
from vision.text import one_line

SAVED = (FOLDER, *HUB)  # where timm looks for a model instead of its registry
Completer = Callable[..., Arguments]
# Arguments of timm.create_model itself, such as pretrained: they choose weights, not the model.
FACTORY_ARGUMENTS = frozenset(inspect.signature(timm.create_model).parameters) - {"model_name", "kwargs"}


def our_models() -> list[str]:
    """Return the names of the models that this package adds to timm's registry."""
    package = __name__.partition(".")[0]
    return [name for name in timm.list_models() if _module_of(name).__name__.partition(".")[0] == package]


def check_name(name: str, setting: str = "model.name") -> None:
    """Raise a ValueError, which suggests similar names, where timm's registry has no model `name`.

    Args:
        name: the name to look up.
        setting: what the message calls it.
    """
    if name.startswith(SAVED):
        raise ValueError(
            f"{setting} must be in timm's registry, got {name!r}; give the model's name, and the weights as "
            f"model.init_from={name}"
        )
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise ValueError(f"{setting} must be in timm's registry, got {name!r}; {hint}See `vision models`")


def complete_arguments(
    name: str, *, img_size: Size, in_chans: int, num_classes: int, **given: Any
) -> Arguments:
    """Return all arguments that build the model `name` for images (B, in_chans, *img_size).

    What is not given is chosen by the kind of the model: see `complete_backbone`, `complete_stages` and
    `vision.models.small_images`. The module of an entry point may choose otherwise: `argument_completers`
    there maps a model's name to a function with the parameters of this one.

    Args:
        name: a model of timm's registry.
        img_size: height and width in pixels, or one number for both.
        in_chans: channels of the images.
        num_classes: width of the head.
        given: further arguments, which are kept. `params`, a number of parameters, becomes widths. Those of
            `timm.create_model` itself, such as pretrained, are not passed to the model.

    Raises:
        ValueError: the name is unknown, `params` is given together with the widths, or no width gives it.
    """
    check_name(name)
    complete = completer(name) or _complete_timm
    factory = {key: given.pop(key) for key in FACTORY_ARGUMENTS & given.keys()}
    known = {"img_size": img_size, "in_chans": in_chans, "num_classes": num_classes}
    return complete(name, **known, **given) | factory


def complete_derived(
    name: str, role: str, default: str, own_names: Collection[str], **arguments: Any
) -> Arguments:
    """Return the arguments of a model that is made from another one, together with those of the other.

    Args:
        name: of the model, for messages.
        role: the argument that names the other model in timm's registry.
        default: the other model, where that argument is not given.
        own_names: the arguments that the other model does not have, `role` included.
        arguments: as in `complete_arguments`.

    Raises:
        ValueError: the name of the other model is unknown, or as `complete_arguments`.
    """
    own = {key: arguments.pop(key) for key in own_names if key in arguments}
    own = {role: default, "img_size": arguments["img_size"]} | own
    check_name(own[role], f"{role} of {name}")
    return own | complete_arguments(own[role], **arguments)


@checked
def create_base(
    name: str, *, img_size: Size = 32, in_chans: int = 3, num_classes: int = 10, **arguments: Any
) -> tuple[nn.Module, Arguments, tuple[int, int, int]]:
    """Build the model that another one is made from.

    Args:
        name: of the base, in timm's registry.
        img_size, in_chans, num_classes: size and channels of the images, number of outputs.
        arguments: further arguments of its constructor.

    Returns:
        The model, all its arguments, and the shape (C, H, W) of its images.

    Raises:
        ValueError: as `complete_arguments`, or dynamic_img_size is asked for.
    """
    if arguments.get("dynamic_img_size"):
        raise ValueError(
            f"a model made from {name!r} is for the grid that it was made for, got dynamic_img_size=True; "
            "give the img_size alone"
        )
    check_img_size(img_size)
    sizes = {"img_size": img_size, "in_chans": in_chans, "num_classes": num_classes}
    complete = complete_arguments(name, **sizes, **arguments)
    return timm.create_model(name, **complete), complete, (in_chans, *pair(img_size))


def check_size(name: str, img_size: Size, given: Mapping[str, object]) -> None:
    """Raise a ValueError that names sizes that fit, if a model of timm's cannot run on images of img_size.

    It builds the model and runs it on the meta device, as `complete_arguments` does.

    Args:
        name: a model of timm's registry.
        img_size: height and width in pixels, or one number for both.
        given: further arguments of the model.
    """
    if completer(name) is None:
        others = {key: value for key, value in given.items() if key not in {"params", *FACTORY_ARGUMENTS}}
        small_image_arguments(name, img_size=img_size, **others)


@checked
def create_model(name: str, **arguments: Any) -> nn.Module:
    """Call `timm.create_model`, with an error that names the wrong argument.

    Raises:
        ValueError: there is no such model, or the constructor does not accept an argument.
    """
    if not name.startswith(SAVED):
        check_name(name, "name")
    try:
        return timm.create_model(name, **arguments)
    except TypeError as error:
        reason = one_line(error, most=300)  # torch's has several lines
        raise ValueError(f"model {name!r} does not take the arguments {arguments}: {reason}") from error


def complete_backbone(
    name: str, *, img_size: Size, in_chans: int, num_classes: int, **given: Any
) -> Arguments:
    """Return all arguments of one of our backbones: its patch by `token_patch`, its widths for `params`.

    Raises:
        ValueError: both params and embed_dim are given, or no width gives `params` parameters.
    """
    convolutions = name == "field_vit_conv_stem" or given.get("stem") == "convolutions"
    patch_size = token_patch(img_size, power_of_two=convolutions)
    sizes = {"img_size": img_size, "patch_size": patch_size}
    if "patch_size" not in given and any(padding_of(img_size, patch_size)):
        sizes["dynamic_img_pad"] = True
    arguments = {**sizes, **given, "in_chans": in_chans, "num_classes": num_classes}
    params = given.get("params")
    if not params:
        return arguments
    if "embed_dim" in given:
        raise ValueError(
            f"params determines embed_dim; pass one, not both, got {params=}, "
            f"embed_dim={given['embed_dim']}; params=null turns it off"
        )
    with torch.device("meta"):
        model: Any = create_model(name, **arguments)
    # Widths, unlike params, hold for a head with another number of classes too.
    del arguments["params"]
    mlp_ratio = model.blocks[0].mlp.fc1.out_features / model.embed_dim
    return {**arguments, "embed_dim": model.embed_dim, "mlp_ratio": mlp_ratio}


def complete_stages(name: str, *, img_size: Size, params: int | None = None, **arguments: Any) -> Arguments:
    """Return all arguments of a CNN that fits any image: the widths of its stages, where `params` is given.

    Raises:
        ValueError: as `stage_widths`.
    """
    return arguments | (stage_widths(name, params, **arguments) if params else {})


def _complete_timm(
    name: str, *, img_size: Size, in_chans: int, num_classes: int, params: int | None = None, **given: Any
) -> Arguments:
    sizes = small_image_arguments(name, img_size=img_size, **given)
    arguments = {**sizes, **given, "in_chans": in_chans, "num_classes": num_classes}
    return arguments | (stage_widths(name, params, **arguments) if params else {})


def completer(name: str) -> Completer | None:
    """Return what the module of an entry point registers to complete the arguments of its model."""
    completers = cast(dict[str, Completer], getattr(_module_of(name), "argument_completers", {}))
    return completers.get(name)


def _module_of(name: str) -> ModuleType:
    return sys.modules[timm.model_entrypoint(name).__module__]
