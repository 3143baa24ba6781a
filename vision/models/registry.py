"""One way to build any model of timm's registry for given images.

>>> complete_arguments("field_cnn", img_size=32, in_chans=3, num_classes=10)["patch_size"]
4
"""

import difflib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import timm
import torch
from torch import nn

from vision.models.small_images import small_image_arguments, token_patch
from vision.models.stage_widths import stage_widths


def our_models() -> list[str]:
    """Names of the models that this package adds to timm's registry."""
    package = __name__.split(".")[0]
    return [name for name in timm.list_models() if _package_of(name) == package]


def check_name(name: str, setting: str = "model.name") -> None:
    """Raise a ValueError with near names where timm's registry has no model `name`; it names the setting."""
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise ValueError(f"{setting} must be in timm's registry, got {name!r}; {hint}See `vision models`")


def complete_arguments(
    name: str, *, img_size: int | tuple[int, int], in_chans: int, num_classes: int, **given: Any
) -> dict[str, Any]:
    """All arguments for the model `name` on images (B, in_chans, *img_size): `given` and what it leaves open.

    Our backbones get the image's size and, where none is given, a patch that leaves about 8 x 8 tokens of at
    least 2 x 2 pixels, and the widths that `params` stands for, which then hold for another head too; for
    timm's models see `vision.models.small_images` and `vision.models.stage_widths`.

    Raises:
        ValueError: the name is unknown (near ones are suggested), or both params and embed_dim are given.
    """
    check_name(name)
    if complete := _completer(name):
        return complete(img_size=img_size, in_chans=in_chans, num_classes=num_classes, **given)
    params = given.get("params")
    if not _is_backbone(name):
        given.pop("params", None)
        sizes = {} if name in our_models() else small_image_arguments(name, img_size=img_size, **given)
        arguments = {**sizes, **given, "in_chans": in_chans, "num_classes": num_classes}
        return arguments | (stage_widths(name, params, **arguments) if params else {})
    sizes = {"img_size": img_size, "patch_size": token_patch(img_size)}
    arguments = {**sizes, **given, "in_chans": in_chans, "num_classes": num_classes}
    if params:
        if "embed_dim" in given:
            raise ValueError(
                "params solves for the widths, so embed_dim cannot be given beside it, got "
                f"params={params}, embed_dim={given['embed_dim']}; set params=null for it"
            )
        return _with_widths(name, arguments)
    return arguments


def create_model(name: str, **arguments: Any) -> nn.Module:
    """timm.create_model, with an error that says which argument is wrong.

    Raises:
        ValueError: the constructor does not take an argument.
    """
    try:
        return timm.create_model(name, **arguments)
    except TypeError as error:
        raise ValueError(f"model {name!r} does not take the arguments {arguments}: {error}") from error


def _with_widths(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    with torch.device("meta"):
        model: Any = create_model(name, **arguments)
    ratio = model.blocks[0].mlp.fc1.out_features / model.embed_dim
    rest = {key: value for key, value in arguments.items() if key != "params"}
    return {**rest, "embed_dim": model.embed_dim, "mlp_ratio": ratio}


def _completer(name: str) -> Callable[..., dict[str, Any]] | None:
    """What completes the arguments of a model that is built around another.

    The module of the model's entry point has it in `argument_completers`, as timm finds `default_cfgs` there.
    """
    return getattr(_module_of(name), "argument_completers", {}).get(name)


def _is_backbone(name: str) -> bool:
    """Whether the entry point's module counts the model to its `BACKBONES`."""
    return name in getattr(_module_of(name), "BACKBONES", ())


def _module_of(name: str) -> ModuleType:
    return sys.modules[timm.model_entrypoint(name).__module__]


def _package_of(name: str) -> str:
    return timm.model_entrypoint(name).__module__.split(".")[0]
