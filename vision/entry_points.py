"""The names of our models in timm's registry.

`vision._registration` imports this module as soon as any module imports timm. Therefore it imports no other
module of ours: an entry point imports its model when it is called.

>>> timm.create_model("field_cnn", img_size=32, params=500_000).num_features
88
"""

from typing import TYPE_CHECKING, Any

from timm.models import (
    build_model_with_cfg,  # pyright: ignore[reportUnknownVariableType]
    generate_default_cfgs,
    register_model,
    register_model_deprecations,
)

if TYPE_CHECKING:
    from torch import nn

    from vision.models.backbone import Backbone
    from vision.models.resnet import SmallImageResNet

_IMAGES = {
    "input_size": (3, 32, 32),
    "num_classes": 10,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "interpolation": "bicubic",
    "crop_pct": 1.0,
}
_BACKBONE = {**_IMAGES, "first_conv": "patch_embed.proj", "classifier": "head", "fixed_input_size": True}
BACKBONES = (
    *("field_vit", "field_local", "field_truncated", "field_window", "field_gated", "field_quadratic"),
    *("field_static", "field_graph", "field_recurrent", "field_cnn", "field_cnn_attention"),
    *("field_pooling", "field_identity"),
)
# timm reads a registered model's configuration from this name, in the module of its entry point.
default_cfgs = generate_default_cfgs(
    {
        **dict.fromkeys(BACKBONES, _BACKBONE),
        "resnet18_small": {**_IMAGES, "first_conv": "conv1", "classifier": "fc", "pool_size": (4, 4)},
        "softened_cnn": {"input_size": (3, 32, 32), "num_classes": 10},
    }
)


@register_model
def field_vit(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """The ViT: self-attention over all patches, learned positions."""
    return _backbone("field_vit", "self_attention", pretrained, {"pos_embed": "learned"}, _heads(kwargs))


@register_model
def field_local(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """Local self-attention: content weights in a k x k neighbourhood, learned positions."""
    return _backbone("field_local", "local_attention", pretrained, {"pos_embed": "learned"}, _heads(kwargs))


@register_model
def field_truncated(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """Truncated self-attention: a window on the sequence of patches, learned positions."""
    positions = {"pos_embed": "learned"}
    return _backbone("field_truncated", "truncated_attention", pretrained, positions, _heads(kwargs))


@register_model
def field_window(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """Self-attention inside tiles of the grid, Swin's field without its shift; learned positions."""
    positions = {"pos_embed": "learned"}
    return _backbone("field_window", "window_attention", pretrained, positions, _heads(kwargs))


@register_model
def field_gated(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """ConViT's gated attention: starts near a convolution, free to look elsewhere."""
    return _backbone("field_gated", "gated_attention", pretrained, {}, _heads(kwargs))


@register_model
def field_quadratic(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """Attention by place alone, each head with a learned centre and width: the learnable receptive field."""
    return _backbone("field_quadratic", "quadratic_attention", pretrained, {}, _heads(kwargs))


@register_model
def field_static(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """Attention whose weights are learned numbers for each relative place, the same for every image."""
    return _backbone("field_static", "static_attention", pretrained, {}, _heads(kwargs))


@register_model
def field_graph(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """Self-attention on a graph of the patches, by default the 8 neighbours of each; learned positions."""
    positions = {"pos_embed": "learned"}
    return _backbone("field_graph", "graph_attention", pretrained, positions, _heads(kwargs))


@register_model
def field_recurrent(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """ReNet's recurrence: bidirectional LSTMs over rows, then columns."""
    return _backbone("field_recurrent", "recurrent", pretrained, {}, kwargs)


@register_model
def field_pooling(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """PoolFormer's average pool as mixer: nothing in it learns."""
    return _backbone("field_pooling", "pooling", pretrained, {}, kwargs)


@register_model
def field_cnn(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """The CNN of the same backbone: a k x k convolution mixes the tokens."""
    return _backbone("field_cnn", "convolution", pretrained, {}, kwargs)


@register_model
def field_cnn_attention(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """`field_cnn` as masked attention: one head per kernel position; the same state_dict."""
    return _backbone("field_cnn_attention", "conv_attention", pretrained, {}, kwargs)


@register_model
def field_identity(pretrained: bool = False, **kwargs: Any) -> "Backbone":
    """The 1 x 1 end of the line: no token sees another before the mean."""
    return _backbone("field_identity", "identity", pretrained, {}, kwargs)


@register_model
def resnet18_small(pretrained: bool = False, **kwargs: Any) -> "SmallImageResNet":
    """ResNet-18 with a 3 x 3 stem, for images of about 32 x 32 pixels."""
    from timm.models.resnet import BasicBlock

    from vision.models.resnet import SmallImageResNet

    arguments = {"block": BasicBlock, "layers": (2, 2, 2, 2), **kwargs}
    return build_model_with_cfg(SmallImageResNet, "resnet18_small", pretrained, **arguments)


@register_model
def softened_cnn(pretrained: bool = False, **kwargs: Any) -> "nn.Module":
    """Return any CNN with its kernels as attention that learns where to attend (`vision.soften`)."""
    from vision.soften.registry import build_softened_cnn

    return build_model_with_cfg(build_softened_cnn, "softened_cnn", pretrained, **kwargs)  # type: ignore[arg-type]


def _complete_softened_cnn(**given: Any) -> dict[str, Any]:
    from vision.soften.registry import complete_softened_cnn

    return complete_softened_cnn(**given)


# `vision.models.complete_arguments` reads this name in the module of the entry point.
argument_completers = dict.fromkeys(("softened_cnn", "released_cnn"), _complete_softened_cnn)
# The name of earlier versions, which saved models and configs still hold. timm warns and names the new one.
register_model_deprecations(__name__, {"released_cnn": "softened_cnn"})
globals()["released_cnn"].__module__ = __name__  # where the completer is found


def _backbone(
    variant: str, mixer: str, pretrained: bool, defaults: dict[str, Any], kwargs: dict[str, Any]
) -> "Backbone":
    from vision.models.backbone import Backbone

    features = {"out_indices": 3, "feature_cls": "getter"}
    arguments = {"mixer": mixer, **defaults, **kwargs}
    return build_model_with_cfg(Backbone, variant, pretrained, feature_cfg=features, **arguments)


def _heads(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**kwargs, "mixer_options": {"num_heads": 4, **(kwargs.get("mixer_options") or {})}}
