"""The names of our models in timm's registry, and one way to build any model for given images.

>>> timm.create_model("field_cnn", img_size=32, params=500_000).num_features
88
"""

import difflib
from collections.abc import Callable
from typing import Any

import timm
import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock
from torch import nn

from vision.models.backbone import Backbone
from vision.models.resnet import SmallImageResNet
from vision.models.small_images import small_image_arguments, token_patch
from vision.models.stage_widths import stage_widths

_IMAGES = {
    "input_size": (3, 32, 32),
    "num_classes": 10,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "interpolation": "bicubic",
    "crop_pct": 1.0,
}
_BACKBONE = {**_IMAGES, "first_conv": "patch_embed.proj", "classifier": "head", "fixed_input_size": True}
_BACKBONES = (
    *("field_vit", "field_local", "field_truncated", "field_window", "field_gated", "field_quadratic"),
    *("field_static", "field_graph", "field_recurrent", "field_cnn", "field_cnn_attention"),
    *("field_pooling", "field_identity"),
)
_COMPLETERS: dict[str, Callable[..., dict[str, Any]]] = {}  # of models that are built around another
# timm reads a registered model's configuration from this name, in the module of its entry point.
default_cfgs = generate_default_cfgs(
    {
        **dict.fromkeys(_BACKBONES, _BACKBONE),
        "resnet18_small": {**_IMAGES, "first_conv": "conv1", "classifier": "fc", "pool_size": (4, 4)},
    }
)


def our_models() -> list[str]:
    """Names of the models that this package adds to timm's registry."""
    package = __name__.split(".")[0]
    return [name for name in timm.list_models() if _package_of(name) == package]


def register_arguments(name: str, complete: Callable[..., dict[str, Any]]) -> None:
    """Let `complete_arguments(name, ...)` return `complete(...)`, for a model that is built around another.

    Args:
        name: a model of timm's registry.
        complete: takes and returns what `complete_arguments` does, without the name.
    """
    _COMPLETERS[name] = complete


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
    if complete := _COMPLETERS.get(name):
        return complete(img_size=img_size, in_chans=in_chans, num_classes=num_classes, **given)
    params = given.get("params")
    if name not in _BACKBONES:
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


@register_model
def field_vit(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """The ViT: self-attention over all patches, learned positions."""
    return _backbone("field_vit", "self_attention", pretrained, {"pos_embed": "learned"}, _heads(kwargs))


@register_model
def field_local(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """Local self-attention: content weights in a k x k neighbourhood, learned positions."""
    return _backbone("field_local", "local_attention", pretrained, {"pos_embed": "learned"}, _heads(kwargs))


@register_model
def field_truncated(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """Truncated self-attention: a window on the sequence of patches, learned positions."""
    positions = {"pos_embed": "learned"}
    return _backbone("field_truncated", "truncated_attention", pretrained, positions, _heads(kwargs))


@register_model
def field_window(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """Self-attention inside tiles of the grid, Swin's field without its shift; learned positions."""
    positions = {"pos_embed": "learned"}
    return _backbone("field_window", "window_attention", pretrained, positions, _heads(kwargs))


@register_model
def field_gated(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """ConViT's gated attention: starts near a convolution, free to look elsewhere."""
    return _backbone("field_gated", "gated_attention", pretrained, {}, _heads(kwargs))


@register_model
def field_quadratic(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """Attention by place alone, each head with a learned centre and width: the learnable receptive field."""
    return _backbone("field_quadratic", "quadratic_attention", pretrained, {}, _heads(kwargs))


@register_model
def field_static(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """Attention whose weights are learned numbers for each relative place, the same for every image."""
    return _backbone("field_static", "static_attention", pretrained, {}, _heads(kwargs))


@register_model
def field_graph(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """Self-attention on a graph of the patches, by default the 8 neighbours of each; learned positions."""
    positions = {"pos_embed": "learned"}
    return _backbone("field_graph", "graph_attention", pretrained, positions, _heads(kwargs))


@register_model
def field_recurrent(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """ReNet's recurrence: bidirectional LSTMs over rows, then columns."""
    return _backbone("field_recurrent", "recurrent", pretrained, {}, kwargs)


@register_model
def field_pooling(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """PoolFormer's average pool as mixer: nothing in it learns."""
    return _backbone("field_pooling", "pooling", pretrained, {}, kwargs)


@register_model
def field_cnn(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """The CNN of the same backbone: a k x k convolution mixes the tokens."""
    return _backbone("field_cnn", "convolution", pretrained, {}, kwargs)


@register_model
def field_cnn_attention(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """`field_cnn` as masked attention: one head per kernel position; the same state_dict."""
    return _backbone("field_cnn_attention", "conv_attention", pretrained, {}, kwargs)


@register_model
def field_identity(pretrained: bool = False, **kwargs: Any) -> Backbone:
    """The 1 x 1 end of the line: no token sees another before the mean."""
    return _backbone("field_identity", "identity", pretrained, {}, kwargs)


@register_model
def resnet18_small(pretrained: bool = False, **kwargs: Any) -> SmallImageResNet:
    """ResNet-18 with a 3 x 3 stem, for images of about 32 x 32 pixels."""
    arguments = {"block": BasicBlock, "layers": (2, 2, 2, 2), **kwargs}
    return build_model_with_cfg(SmallImageResNet, "resnet18_small", pretrained, **arguments)


def _backbone(
    variant: str, mixer: str, pretrained: bool, defaults: dict[str, Any], kwargs: dict[str, Any]
) -> Backbone:
    features = {"out_indices": 3, "feature_cls": "getter"}
    arguments = {"mixer": mixer, **defaults, **kwargs}
    return build_model_with_cfg(Backbone, variant, pretrained, feature_cfg=features, **arguments)


def _with_widths(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    with torch.device("meta"):
        model: Any = create_model(name, **arguments)
    ratio = model.blocks[0].mlp.fc1.out_features / model.embed_dim
    rest = {key: value for key, value in arguments.items() if key != "params"}
    return {**rest, "embed_dim": model.embed_dim, "mlp_ratio": ratio}


def _package_of(name: str) -> str:
    return timm.model_entrypoint(name).__module__.split(".")[0]


def _heads(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**kwargs, "mixer_options": {"num_heads": 4, **(kwargs.get("mixer_options") or {})}}
