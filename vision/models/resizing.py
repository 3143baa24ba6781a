"""A backbone's weights for images of other channels or another size, or for patches of another size.

>>> import torch
>>> from vision.models.backbone import Backbone
>>> model = Backbone(img_size=8, patch_size=2, pos_embed="learned", embed_dim=16, depth=1)
>>> weights = weights_for(Backbone(**model.arguments | {"img_size": 16}), model.state_dict(), img_size=8)
>>> weights["pos_embed.pos_embed"].shape
torch.Size([1, 64, 16])
"""

from collections.abc import Iterator
from copy import deepcopy
from math import isqrt
from typing import TYPE_CHECKING, cast

import torch
from timm.layers.patch_embed import resample_patch_embed
from timm.models._manipulate import adapt_input_conv
from torch import Tensor, nn

from vision.dynamic import Arguments, JsonObject
from vision.models.conv_stem import ConvStem
from vision.patches import PatchEmbed, Size, Stem, pair
from vision.positions.resizing import Resizable, parameter_like, resize

if TYPE_CHECKING:
    from vision.models.backbone import Backbone

HEAD = "head."


def checkpoint_filter_fn(state: dict[str, Tensor], model: "Backbone") -> dict[str, Tensor]:
    """Return the weights of a checkpoint for `model`: timm calls it before it loads them.

    The images of the checkpoint are those of its constructor's arguments, which timm knows for the folder of
    a run. Without them, weights that fit are returned as they are, and others are taken to be for the images
    of `pretrained_cfg["input_size"]`.
    """
    given = cast(Arguments, getattr(model, "pretrained_model_args", {}))
    own = model.state_dict()
    if not given and all(key in own and own[key].shape == value.shape for key, value in state.items()):
        return state
    channels, *size = cast(JsonObject, model.pretrained_cfg)["input_size"]
    known: Arguments = {"in_chans": channels, "img_size": tuple(size)}
    named = {key: given[key] for key in ("in_chans", "img_size", "patch_size") if key in given}
    return weights_for(model, state, **{**known, **named})


def weights_for(
    model: "Backbone",
    state: dict[str, Tensor],
    *,
    img_size: Size | list[int],
    in_chans: int | None = None,
    patch_size: Size | list[int] | None = None,
) -> dict[str, Tensor]:
    """Return the weights of a backbone on other images, as `model` needs them; the head's as they are.

    Channels are summed or repeated, and patches resampled, as timm does for its ViTs. Positions are resized
    by `vision.positions.resize`.

    Args:
        model: the backbone to get the weights; only its arguments are used.
        state: a state_dict of a backbone with the same arguments but for those that follow.
        img_size: height and width in pixels that it was built for.
        in_chans: channels that it was built for; None is those of the model.
        patch_size: sides of its patches; None is a square of the size of its weights.

    Raises:
        ValueError: patches cannot be resampled, or channels cannot be adapted.
    """
    in_chans = model.in_chans if in_chans is None else in_chans
    patch_size = _patch_of(state, in_chans, model) if patch_size is None else patch_size
    changes: Arguments = {
        "img_size": pair(img_size),
        "patch_size": pair(patch_size),
        "in_chans": in_chans,
    }
    own = {key: pair(model.arguments[key]) for key in ("img_size", "patch_size")}
    if {**own, "in_chans": model.in_chans} == changes:
        return state
    body: Arguments = {**model.arguments, "num_classes": 0, "device": "meta"}
    source, target = type(model)(**{**body, **changes}), type(model)(**body)
    head = {key: value for key, value in state.items() if key.startswith(HEAD)}
    weights = {key: value for key, value in state.items() if key not in head}
    source.load_state_dict(weights, assign=True)
    give_weights(source, target)
    return target.state_dict() | head


def resized_positions(
    model: nn.Module, state: dict[str, Tensor], *, img_size: Size | list[int]
) -> dict[str, Tensor]:
    """Return the positions in the weights of a checkpoint, on the grid of a model made from a backbone.

    Args:
        model: the model to get the weights, with the backbone's `set_input_size`.
        state: a state_dict of a model with the same arguments but for the size of its images.
        img_size: height and width in pixels that it was built for.
    """
    modules = cast(Iterator[tuple[str, nn.Module]], model.named_modules())
    positions = {name: part for name, part in modules if isinstance(part, Resizable)}
    if not positions or pair(img_size) == pair(cast("Backbone", model).arguments["img_size"]):
        return {}
    source, resized = deepcopy(model), dict[str, Tensor]()
    cast("Backbone", source).set_input_size(pair(img_size))
    for name, own in positions.items():
        old, start = source.get_submodule(name), f"{name}."
        old.load_state_dict({k.removeprefix(start): v for k, v in state.items() if k.startswith(start)})
        resized |= {f"{start}{key}": value for key, value in resize(old, own.grid).state_dict().items()}
    return resized


def give_weights(source: nn.Module, target: nn.Module) -> None:
    """Make the weights of `target` those of `source`: shared where nothing changes, otherwise resized.

    The head of the target stays.

    Args:
        source: a backbone.
        target: one with the same arguments, except for its images and patches.

    Raises:
        ValueError: as in `weights_for`, or a module of one's own has weights for one grid.
    """
    done: list[str] = []
    modules = cast(Iterator[tuple[str, nn.Module]], source.named_modules())
    for name, old in modules:
        if name.startswith((HEAD.rstrip("."), *done)):  # or inside a module that was resized
            continue
        own = target.get_submodule(name)
        if isinstance(old, Resizable) and isinstance(own, Resizable):
            same = old.grid == own.grid
            target.set_submodule(name, cast(nn.Module, old if same else old.resized(own.grid)))
            done.append(f"{name}.")
        elif isinstance(old, Stem) and isinstance(own, Stem):
            give_stem(old, own)
            done.append(f"{name}.")
        else:
            _give_tensors(name, old, own)


def _give_tensors(name: str, source: nn.Module, target: nn.Module) -> None:
    """Make the parameters, and the buffers that are saved, of one module those of another."""
    saved = source.state_dict().keys()
    buffers = ((leaf, tensor) for leaf, tensor in source.named_buffers(recurse=False) if leaf in saved)
    for leaf, tensor in (*source.named_parameters(recurse=False), *buffers):
        shape: torch.Size = getattr(target, leaf).shape
        if shape != tensor.shape:
            raise ValueError(
                f"{name}.{leaf} is for one size of images: its shape {tuple(tensor.shape)} would become "
                f"{tuple(shape)}; train a model for that size"
            )
        setattr(target, leaf, tensor)


def give_stem(source: Stem, target: Stem) -> None:
    """Make the weights of one stem those of another; only the first depends on the images."""
    for name, weight in source.named_parameters():
        owner, _, leaf = name.rpartition(".")
        setattr(target.get_submodule(owner), leaf, weight)
    old, new = pair(source.patch_size), pair(target.patch_size)
    in_chans, wanted = source.shape[0], target.shape[0]
    if (old, in_chans) == (new, wanted):
        return
    first = _first_layer(target)
    weight = cast(nn.Parameter, first.weight)
    if isinstance(source, PatchEmbed):
        kernel = adapt_input_conv(wanted, weight.detach().view(-1, in_chans, *old), base_chans=in_chans)
        kernel = resample_patch_embed(kernel, list(new)).flatten(1)
    elif old != new:
        raise ValueError(
            f"patch_size sets how many convolutions a convolutional stem has: weights for "
            f"patch_size={source.patch_size} do not fit patch_size={target.patch_size}"
        )
    else:
        kernel = adapt_input_conv(wanted, weight.detach(), base_chans=in_chans)
    first.weight = parameter_like(kernel, weight)


def _first_layer(stem: Stem) -> nn.Module:
    if isinstance(stem, PatchEmbed):
        return stem.proj
    return cast(nn.Sequential, cast(nn.Sequential, stem.layers)[0])[0]


def _patch_of(state: dict[str, Tensor], in_chans: int, model: "Backbone") -> Size:
    """Return the side of the patches of a checkpoint, from the number of values of a patch."""
    if isinstance(model.patch_embed, ConvStem):  # each of its convolutions halves the patch
        return 2 ** sum(key.startswith("patch_embed.") and value.ndim == 4 for key, value in state.items())
    values = state["patch_embed.proj.weight"].shape[1]
    side = isqrt(values // in_chans)
    if side * side * in_chans != values:
        raise ValueError(
            f"patch_size of the checkpoint is not known: its patches hold {values} values, no square of "
            f"{in_chans} channels; load it by timm.create_model('local-dir:FOLDER', pretrained=True)"
        )
    return side
