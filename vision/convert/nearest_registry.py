"""`nearest_cnn`: a ViT with position-only heads, as a model of timm's registry, which saves and loads it.

>>> import timm
>>> model = timm.create_model("nearest_cnn", vit="field_vit", kernel_size=3, img_size=32, depth=1)
>>> type(model.blocks[0].mixer).__name__
'HeadConvolution'
"""

from pathlib import Path
from typing import Any, cast

import timm
import torch
from timm.models._manipulate import adapt_input_conv
from torch import Tensor, nn

from vision.argument_types import checked
from vision.convert.convolution_summary import ConvolutionModel, ConvolutionSummary
from vision.convert.head_maps import as_soft, head_maps
from vision.convert.kernel_size import KernelSize, kernel_sides
from vision.convert.modules import named_modules, replace_module
from vision.convert.position_start import unfitted
from vision.convert.undo_attention import undo_as_attention
from vision.dynamic import Arguments, JsonObject
from vision.models import (
    Backbone,
    complete_derived,
    create_base,
    prefix_tokens,
    save_model,
    stated_grid,
    token_grid,
)
from vision.models.resizing import give_stem
from vision.models.sources import ModelSource
from vision.models.timm_model import TimmModel
from vision.patches import Grid, pair

NAME = "nearest_cnn"
OWN_ARGUMENTS = ("vit", "kernel_size")
_IMAGES = ("mean", "std", "input_size")


@checked
def build_nearest_cnn(
    *,
    vit: str = "field_vit",
    kernel_size: KernelSize = 3,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **arguments: Any,
) -> nn.Module:
    """Return the model `vit` with random weights, and convolutions and unfitted heads for its attention.

    Args:
        vit: a name in timm's registry.
        kernel_size: as in `as_convolution`.
        device, dtype: of the parameters.
        arguments: img_size, in_chans, num_classes and further arguments of the model's constructor.

    Raises:
        ValueError: the name is unknown, or the model states no grid of tokens.
    """
    base, _, shape = create_base(vit, **arguments)
    model: Any = base
    undo_as_attention(model, ConvolutionSummary(kernel_size, images=0))
    if (grid := token_grid(base, shape)) is None:
        raise ValueError(f"vit must be a model that states the grid of its tokens, got {vit!r}")
    _put_unfitted(model, kernel_size, grid)
    if hasattr(model, "set_input_size"):  # that of the ViT would build attention again
        model.set_input_size = _refuse_size
    return model.to(device=device, dtype=dtype)


def save_nearest_cnn(model: nn.Module, folder: str | Path, source: ModelSource) -> None:
    """Save the result of `as_convolution` as `vision.models.save_model` does, to be read by timm.

    Args:
        model: the converted model.
        folder: where to write.
        source: what the original was built from: a model of timm's registry.

    Raises:
        ValueError: as `check_source`.
    """
    check_source(source, model)
    timm_model = cast(TimmModel, model)
    config = timm_model.pretrained_cfg
    overlay: JsonObject = source.arguments.get("pretrained_cfg_overlay", {})
    images = {key: overlay.get(key, config[key]) for key in _IMAGES}
    given = {k: v for k, v in source.arguments.items() if k != "pretrained_cfg_overlay"}
    channels: int = given.get("in_chans", images["input_size"][0])
    size = list(_img_size(model))
    images["input_size"] = (channels, *size)
    arguments: Arguments = {
        "img_size": size,
        "in_chans": channels,
        "patch_size": _patch_size(model),
        **given,
        "vit": source.name,
        "kernel_size": cast(ConvolutionModel, model).conversion.kernel_size,
        "num_classes": timm_model.num_classes,
    }
    sides: Arguments = {name: _sides(arguments[name]) for name in ("img_size", "patch_size")}
    built: Arguments = {**arguments, **sides}
    whole: nn.Module = timm.create_model(NAME, **built)
    whole.load_state_dict(model.state_dict())
    save_model(whole, folder, arguments=arguments, **images)


def check_source(source: ModelSource, model: nn.Module) -> None:
    """Raise a ValueError if the nearest CNN of a model cannot be saved.

    It is not in timm's registry, or it does not state the grid of its tokens.
    """
    if not timm.is_model(source.name):
        raise ValueError(f"only a ViT of timm's registry can be saved as {NAME}, got {source.name!r}")
    if stated_grid(model) is None:
        kind = type(model).__name__
        raise ValueError(f"only a model that states the grid of its tokens can be saved, got {kind}")


def adapt_weights(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a checkpoint for images of other channels, as timm does for its ViTs.

    Raises:
        ValueError: the checkpoint is for images of another size.
    """
    channels, *size = cast(TimmModel, model).pretrained_cfg["input_size"]
    own = _img_size(model)
    if own != tuple(size):
        _refuse_size(own)
    if not isinstance(model, Backbone) or channels == model.in_chans:  # timm adapts its own ViTs
        return state
    name, kernel = "patch_embed.", "patch_embed.layer.weight"
    if kernel in state:  # a converted stem, which is one convolution
        weight = adapt_input_conv(model.in_chans, state[kernel], base_chans=channels)
        return {**state, kernel: weight}
    stem = type(model.patch_embed)(
        own, model.arguments["patch_size"], channels, model.embed_dim, device="meta"
    )
    weights = {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}
    stem.load_state_dict(weights, assign=True)
    give_stem(stem, model.patch_embed)
    return state | {f"{name}{key}": value for key, value in model.patch_embed.state_dict().items()}


def complete_nearest_cnn(**arguments: Any) -> Arguments:
    """Return the arguments of the nearest CNN together with those of its ViT."""
    return complete_derived(NAME, "vit", "field_vit", OWN_ARGUMENTS, **arguments)


def _img_size(model: nn.Module) -> tuple[int, int]:
    stated: Any = model
    return pair(model.arguments["img_size"] if isinstance(model, Backbone) else stated.patch_embed.img_size)


def _patch_size(model: nn.Module) -> int | list[int]:
    stated: Any = model
    rows, cols = pair(stated.patch_embed.patch_size)
    return rows if rows == cols else [rows, cols]


def _sides(size: object) -> object:
    return tuple(cast(list[int], size)) if isinstance(size, list) else size


def _refuse_size(img_size: object = None, patch_size: object = None) -> None:
    raise ValueError(
        f"the kernels of {NAME} are fitted for one grid, got {img_size=}, {patch_size=}; convert the ViT at "
        "that size"
    )


def _put_unfitted(model: nn.Module, kernel_size: KernelSize, grid: Grid) -> None:
    """Replace each attention layer with linear maps by what `as_convolution` fits, unfitted, in place."""
    sides = kernel_sides(kernel_size, grid)
    for name, module in named_modules(model).items():
        if (maps := head_maps(module)) is None:
            continue
        layer = unfitted(maps, grid, prefix=prefix_tokens(model), kernel_size=sides)
        placed = layer if as_soft(module) is None else layer.folded()
        replace_module(model, name, placed.train(module.training))
