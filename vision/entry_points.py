"""The names of our models in timm's registry.

`vision._registration` imports this module as soon as any module imports timm. Therefore it imports no other
module of ours: an entry point imports its model when it is called.

>>> import timm
>>> timm.create_model("field_cnn", img_size=32, params=500_000).num_features
88
"""

from typing import TYPE_CHECKING, Any, cast

from timm.models import (
    build_model_with_cfg,  # pyright: ignore[reportUnknownVariableType]
    generate_default_cfgs,
    register_model,
    register_model_deprecations,
)

if TYPE_CHECKING:
    from torch import nn

    from vision.dynamic import Arguments
    from vision.models.backbone import Backbone
    from vision.models.plain_cnn import PlainCNN
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
    *(
        "field_vit",
        "field_vit_conv_stem",
        "field_local",
        "field_truncated",
        "field_window",
        "field_gated",
        "field_quadratic",
    ),
    *("field_static", "field_graph", "field_recurrent", "field_cnn", "field_cnn_attention"),
    *("field_pooling", "field_identity"),
)
_CONFIGS: "dict[str, Arguments]" = {
    **dict.fromkeys(BACKBONES, _BACKBONE),
    "field_vit_conv_stem": {**_BACKBONE, "first_conv": "patch_embed.layers.0.0"},
    "plain_cnn": {**_IMAGES, "first_conv": "stages.0.0.conv", "classifier": "head.fc", "pool_size": (8, 8)},
    "resnet18_small": {**_IMAGES, "first_conv": "conv1", "classifier": "fc", "pool_size": (4, 4)},
    "softened_cnn": {**_IMAGES, "first_conv": "patch_embed.layer", "classifier": "head"},
    "nearest_cnn": _BACKBONE,
}
# timm reads a registered model's configuration from this name, in the module of its entry point.
default_cfgs = cast("Arguments", generate_default_cfgs({**_CONFIGS}))


@register_model
def field_vit(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """The ViT: self-attention over all patches, learned positions."""
    return _backbone("field_vit", "self_attention", pretrained, kwargs, pos_embed="learned")


@register_model
def field_vit_conv_stem(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """The ViT with a convolutional stem, as in CCT: convolutions and max pools make its tokens."""
    defaults = {"pos_embed": "learned", "stem": "convolutions"}
    return _backbone("field_vit_conv_stem", "self_attention", pretrained, kwargs, **defaults)


@register_model
def field_local(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """Local self-attention: content weights in a k x k neighbourhood, learned positions."""
    return _backbone("field_local", "local_attention", pretrained, kwargs, pos_embed="learned")


@register_model
def field_truncated(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """Truncated self-attention: a window on the sequence of patches, learned positions."""
    return _backbone("field_truncated", "truncated_attention", pretrained, kwargs, pos_embed="learned")


@register_model
def field_window(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """Self-attention inside tiles of the grid, Swin's field without its shift; learned positions."""
    return _backbone("field_window", "window_attention", pretrained, kwargs, pos_embed="learned")


@register_model
def field_gated(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """ConViT's gated attention: starts near a convolution and may learn to attend elsewhere."""
    return _backbone("field_gated", "gated_attention", pretrained, kwargs)


@register_model
def field_quadratic(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """Attention by position alone; each head learns a centre and a width, its receptive field."""
    return _backbone("field_quadratic", "quadratic_attention", pretrained, kwargs)


@register_model
def field_static(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """Attention with one learned weight per relative position, the same for every image."""
    return _backbone("field_static", "static_attention", pretrained, kwargs)


@register_model
def field_graph(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """Self-attention on a graph of the patches, by default the 8 neighbours; learned positions."""
    return _backbone("field_graph", "graph_attention", pretrained, kwargs, pos_embed="learned")


@register_model
def field_recurrent(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """ReNet's recurrence: bidirectional LSTMs over rows, then columns."""
    return _backbone("field_recurrent", "recurrent", pretrained, kwargs)


@register_model
def field_pooling(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """PoolFormer's average pool as mixer, which has no parameters."""
    return _backbone("field_pooling", "pooling", pretrained, kwargs)


@register_model
def field_cnn(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """The CNN of the same backbone: a k x k convolution mixes the tokens."""
    return _backbone("field_cnn", "convolution", pretrained, kwargs)


@register_model
def field_cnn_attention(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """`field_cnn` as masked attention: one head per kernel position; the same state_dict."""
    return _backbone("field_cnn_attention", "conv_attention", pretrained, kwargs)


@register_model
def field_identity(pretrained: bool = False, **kwargs: object) -> "Backbone":
    """No mixing: no token sees another before the mean, as in a 1 x 1 convolution."""
    return _backbone("field_identity", "identity", pretrained, kwargs)


@register_model
def plain_cnn(pretrained: bool = False, **kwargs: Any) -> "PlainCNN":
    """A plain CNN: VGG's pyramid for small images, 6 convolutions in 3 stages, with batch norm."""
    from vision.models.plain_cnn import PlainCNN

    arguments = _of_any_size("plain_cnn", kwargs)
    features = {"out_indices": (0, 1, 2), "feature_cls": "getter"}
    return build_model_with_cfg(PlainCNN, "plain_cnn", pretrained, feature_cfg=features, **arguments)


@register_model
def resnet18_small(pretrained: bool = False, **kwargs: Any) -> "SmallImageResNet":
    """ResNet-18 with a 3 x 3 stem, for images of about 32 x 32 pixels."""
    from timm.models.resnet import BasicBlock

    from vision.models.resnet import SmallImageResNet

    own = _of_any_size("resnet18_small", kwargs)
    arguments: Arguments = {"block": BasicBlock, "layers": (2, 2, 2, 2), **own}
    return build_model_with_cfg(SmallImageResNet, "resnet18_small", pretrained, **arguments)


@register_model
def softened_cnn(pretrained: bool = False, **kwargs: Any) -> "nn.Module":
    """Any CNN with its kernels as attention that learns where to attend (`vision.soften`)."""
    from vision.soften import registry

    options = registry.timm_options(**kwargs)
    build: Any = registry.build_softened_cnn
    return build_model_with_cfg(build, "softened_cnn", pretrained, **{**kwargs, **options})


@register_model
def nearest_cnn(pretrained: bool = False, **kwargs: Any) -> "nn.Module":
    """Any ViT with one kernel per head in place of its attention (`vision.as_convolution`)."""
    from vision.convert.nearest_registry import adapt_weights, build_nearest_cnn

    build: Any = build_nearest_cnn
    options: Arguments = {"feature_cfg": _features(kwargs), "pretrained_filter_fn": adapt_weights}
    return build_model_with_cfg(build, "nearest_cnn", pretrained, **options, **kwargs)


def _backbone(name: str, mixer: str, pretrained: bool, kwargs: "Arguments", **defaults: object) -> "Backbone":
    from vision.models.backbone import Backbone
    from vision.models.resizing import checkpoint_filter_fn

    arguments: Arguments = {"mixer": mixer, **defaults, **kwargs}
    options: Arguments = {"feature_cfg": _features(kwargs), "pretrained_filter_fn": checkpoint_filter_fn}
    return build_model_with_cfg(Backbone, name, pretrained, **options, **arguments)


def _features(kwargs: "Arguments") -> "Arguments":
    """Return timm's feature_cfg: the last three blocks, as of timm's ViTs, or as many as there are."""
    depth = kwargs.get("depth")
    blocks = depth if isinstance(depth, int) and depth > 0 else 3  # the constructor refuses others
    return {"out_indices": min(3, blocks), "feature_cls": "getter"}


def _of_any_size(name: str, kwargs: "Arguments") -> "Arguments":
    from vision.models.any_size import without_sizes
    from vision.models.stage_widths import stage_widths

    arguments = without_sizes(name, kwargs)
    params = arguments.pop("params", None)
    return arguments | (stage_widths(name, params, **arguments) if params is not None else {})


def _complete_backbone(name: str, **given: Any) -> "Arguments":
    from vision.models.registry import complete_backbone

    return complete_backbone(name, **given)


def _complete_stages(name: str, **given: Any) -> "Arguments":
    from vision.models.registry import complete_stages

    return complete_stages(name, **given)


def _complete_softened_cnn(name: str, **given: Any) -> "Arguments":
    from vision.soften.registry import complete_softened_cnn

    return complete_softened_cnn(**given)


def _complete_nearest_cnn(name: str, **given: Any) -> "Arguments":
    from vision.convert.nearest_registry import complete_nearest_cnn

    return complete_nearest_cnn(**given)


# `vision.models.complete_arguments` reads this name in the module of the entry point.
argument_completers = {
    **dict.fromkeys(BACKBONES, _complete_backbone),
    **dict.fromkeys(("plain_cnn", "resnet18_small"), _complete_stages),
    **dict.fromkeys(("softened_cnn", "released_cnn"), _complete_softened_cnn),
    "nearest_cnn": _complete_nearest_cnn,
}
# The name of earlier versions, which saved models and configs still hold. timm warns and names the new one.
register_model_deprecations(__name__, {"released_cnn": "softened_cnn"})
globals()["released_cnn"].__module__ = __name__  # where the completer is found
