"""`softened_cnn`: any CNN, converted and softened, as a model of timm's registry.

>>> model = timm.create_model("softened_cnn", cnn="field_cnn", alpha=4.0, img_size=32)
>>> start_from(model, "outputs/soften-cifar10-jpeg/CNN/n1000/s0")  # doctest: +SKIP
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import timm
import torch
from timm.models._features import FeatureGetterNet
from timm.models._manipulate import adapt_input_conv
from torch import nn

from vision.argument_types import checked
from vision.convert import as_attention
from vision.dynamic import Arguments
from vision.models import check_name, complete_derived, create_base, load_model
from vision.models.resizing import give_weights, resized_positions
from vision.models.saved import read_saved
from vision.models.timm_model import TimmModel
from vision.patches import Size
from vision.soften.soften import soften

_DEFAULT_LEVELS = (0, 1, 2, 3, 4)  # timm's, where features_only comes without out_indices
NAMES = ("softened_cnn", "released_cnn")  # with its earlier name
OWN_ARGUMENTS = ("cnn", "alpha", "window", "only")


class SoftenedCNN(TimmModel, Protocol):
    """A model that `build_softened_cnn` made; `softened` holds the options and the shape of the images."""

    softened: Arguments
    set_input_size: Callable[..., None]


def is_softened(name: str) -> bool:
    """Return whether a name of timm's registry is that of a softened CNN."""
    return name in NAMES


def start_from(model: nn.Module, run: str | Path) -> None:
    """Load the weights of a saved CNN into a `softened_cnn`, in place.

    It then starts as that CNN, up to an error that falls with alpha, as in `soften`. The CNN may have been
    trained on images of other channels or another size, and with other classes.

    Args:
        model: of `build_softened_cnn`.
        run: the folder of a finished run, local-dir:FOLDER or hf-hub:NAME.

    Raises:
        ValueError: the folder does not hold a model, or its weights do not fit.
    """
    saved, softened = read_saved(run), cast(SoftenedCNN, model)
    options = softened.softened
    channels, *sides = options["shape"]
    changes = {"in_chans": channels, "num_classes": softened.num_classes}
    if "img_size" in saved.arguments:
        changes["img_size"] = tuple(sides)
    try:
        cnn = load_model(run, **changes)
        weights: dict[str, torch.Tensor] = _convert_and_soften(cnn, **options).state_dict()
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"a softened CNN cannot start from {saved.name} in {run}: {error}") from error
    if not _fits(model, weights):
        raise ValueError(
            f"the model of {run} is not the CNN that this softened CNN was made from: {saved.name}"
        )
    model.load_state_dict(weights)


@checked
def build_softened_cnn(
    *,
    cnn: str = "field_cnn",
    alpha: float = 4.0,
    window: int | None = 1,
    only: str = "*",
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **arguments: Any,
) -> nn.Module:
    """Return the CNN with random weights, converted and softened.

    Args:
        cnn: a name in timm's registry.
        alpha, window, only: as in `soften`.
        device, dtype: of the parameters.
        arguments: img_size, in_chans, num_classes and further arguments of the CNN's constructor.
    """
    model, complete, shape = create_base(cnn, **arguments)
    softened = _convert_and_soften(model, alpha=alpha, window=window, only=only, shape=shape)
    if hasattr(softened, "set_input_size"):  # that of the CNN would build layers that are not softened
        own = {"cnn": cnn, "alpha": alpha, "window": window, "only": only}
        cast(SoftenedCNN, softened).set_input_size = partial(_set_input_size, softened, {**own, **complete})
    return softened.to(device=device, dtype=dtype)


def _set_input_size(
    model: nn.Module, arguments: Arguments, img_size: Size | None = None, patch_size: Size | None = None
) -> None:
    """Change the size of the images of a softened backbone, in place, as `Backbone.set_input_size`."""
    if patch_size is not None:
        raise ValueError(f"a softened CNN keeps its patches, got {patch_size=}; build one with that size")
    arguments |= {} if img_size is None else {"img_size": img_size}
    other = build_softened_cnn(**arguments)
    give_weights(model, other)
    for name, child in other.named_children():
        if name != "head":
            setattr(model, name, child.train(model.training))
    cast(SoftenedCNN, model).softened = cast(SoftenedCNN, other).softened


@checked
def timm_options(
    *, cnn: str = "field_cnn", pretrained_cfg_overlay: Arguments | None = None, **arguments: Any
) -> Arguments:
    """Return the options of `timm.models.build_model_with_cfg` that depend on the CNN of a softened model.

    They name its first convolution and its classifier, and where its features are.
    """
    check_name(cnn, "cnn of softened_cnn")
    config: Any = timm.get_pretrained_cfg(cnn)
    first_conv: str | None = config.first_conv
    if first_conv == "patch_embed.proj":  # a backbone's, which conversion puts behind a layer for tokens
        first_conv = "patch_embed.layer"
    own = {"first_conv": first_conv, "classifier": config.classifier, "pool_size": config.pool_size}
    options: Arguments = {
        "pretrained_cfg_overlay": {**own, **(pretrained_cfg_overlay or {})},
        "pretrained_filter_fn": _adapt_weights,
    }
    if arguments.get("features_only") and arguments.get("feature_cls", "getter") == "getter":
        options["feature_cls"] = _Features
    return options


class _Features(FeatureGetterNet):
    """timm's extractor of features; as default the last five levels, or as many as the CNN has."""

    def __init__(self, model: nn.Module, out_indices: Any = _DEFAULT_LEVELS, **options: Any) -> None:
        levels = len(cast(TimmModel, model).feature_info)
        super().__init__(model, min(5, levels) if out_indices == _DEFAULT_LEVELS else out_indices, **options)


def _adapt_weights(state: dict[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights of a checkpoint for other channels, in its first layer, and another grid."""
    timm_model = cast(TimmModel, model)
    config, wanted = timm_model.pretrained_cfg, timm_model.in_chans
    channels = config["input_size"][0]
    state, first = dict(state), config["first_conv"]
    for name in (f"{first}.{part}" for part in ("weight", "q.weight", "k.weight")):
        if name in state and channels != wanted:
            weight = state[name]
            kernel = weight if weight.ndim == 4 else weight[..., None, None]
            state[name] = adapt_input_conv(wanted, kernel, base_chans=channels).view(
                len(weight), -1, *weight.shape[2:]
            )
    kernel, own = state.get(f"{first}.weight"), model.state_dict().get(f"{first}.weight")
    if kernel is not None and own is not None and kernel.shape[2:] != own.shape[2:]:
        raise ValueError(
            f"a softened CNN keeps its patches: weights for {' x '.join(map(str, kernel.shape[2:]))} pixels "
            f"do not fit {' x '.join(map(str, own.shape[2:]))}"
        )
    given: Arguments = getattr(model, "pretrained_model_args", {})
    return state | resized_positions(model, state, img_size=given.get("img_size") or config["input_size"][1:])


def complete_softened_cnn(**arguments: Any) -> Arguments:
    """Return the arguments of the softened model together with those of its CNN."""
    return complete_derived(NAMES[0], "cnn", "field_cnn", OWN_ARGUMENTS, **arguments)


def _convert_and_soften(cnn: nn.Module, *, shape: tuple[int, ...], **options: Any) -> nn.Module:
    """Convert a CNN for images (C, H, W) and soften it; `softened` keeps the options for `start_from`."""
    model: Any = soften(as_attention(cnn.eval(), shape), **options)
    model.softened = {"shape": shape, **options}
    model._traits = {"first_conv": None}  # timm's loader leaves it to `_adapt_weights`
    return model.train()


def _fits(model: nn.Module, weights: dict[str, torch.Tensor]) -> bool:
    own: dict[str, torch.Tensor] = model.state_dict()
    return {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in weights.items()}
