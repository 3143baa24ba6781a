"""The grid of a model's tokens, as the model itself states it.

>>> import timm
>>> token_grid(timm.create_model("field_vit", img_size=(32, 64)), (3, 32, 64))
Grid(rows=8, cols=16)
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from vision.models.modes import evaluating
from vision.models.timm_model import FeatureInfo
from vision.patches import Grid

FEW = 4  # tokens or positions per side; with fewer, there are hardly any places to tell apart
MANY = 1024  # tokens, 32 x 32
MANY_MACS = 20_000_000_000  # multiply-adds for one image; a ViT-B/16 at 224 x 224 takes 17.6 billion


def token_grid(model: nn.Module, input_shape: tuple[int, int, int]) -> Grid | None:
    """Return the grid of the tokens after the stem, or None if the model does not state it.

    It is the `stated_grid`, except for stems of timm's that compute it for any size, by `dynamic_feat_size`.

    Args:
        model: any model.
        input_shape: (C, H, W) of its images.
    """
    stem: Any = getattr(model, "patch_embed", None)
    if hasattr(stem, "dynamic_feat_size") and getattr(stem, "patch_size", None):
        return Grid(*stem.dynamic_feat_size(input_shape[1:]))
    return stated_grid(model)


def stated_grid(model: nn.Module) -> Grid | None:
    """Return the grid that the model was built for, or None if it does not state one.

    It is the model's `grid`, `patch_embed.grid_size` of timm's models, or image_size over patch_size of
    torchvision's ViTs.
    """
    stated: Any = model
    if isinstance(getattr(stated, "grid", None), Grid):
        return stated.grid
    if isinstance(getattr(stated, "image_size", None), int) and isinstance(
        getattr(stated, "patch_size", None), int
    ):
        side: int = stated.image_size // stated.patch_size
        return Grid(side, side)
    stem: Any = getattr(stated, "patch_embed", None)
    size: object = getattr(stem, "grid_size", None)
    return Grid(*cast("tuple[int, int]", size)) if isinstance(size, tuple | list) else None


def prefix_tokens(model: nn.Module) -> int:
    """Return the number of class and register tokens, as timm's models state it; 1 for torchvision's ViTs."""
    return int(getattr(model, "num_prefix_tokens", 1 if hasattr(model, "class_token") else 0))


def describe_grid(model: nn.Module, input_shape: tuple[int, int, int]) -> str:
    """Return the grid of the tokens, or of the last features, in words; empty if the model states neither."""
    grid = token_grid(model, input_shape)
    info: Sequence[FeatureInfo] | None = getattr(model, "feature_info", None)
    if grid is not None:
        patch: int | tuple[int, int] | None = getattr(getattr(model, "patch_embed", None), "patch_size", None)
        sides = f"{patch} x {patch}" if isinstance(patch, int) else " x ".join(map(str, patch or ()))
        of = f" from patches of {sides} pixels" if patch else ""
        words = f"{grid.rows} x {grid.cols} tokens{of}"
    elif grid := last_features(model, input_shape):
        words = f"{grid.rows} x {grid.cols} positions in its last features"
    elif info:
        grid = Grid(*(-(-side // int(info[-1]["reduction"])) for side in input_shape[1:]))
        words = f"about {grid.rows} x {grid.cols} positions in its last features"
    else:
        return ""
    few = f", fewer than {FEW} per side; a larger data.img_size makes more"
    return words + (few if min(grid.rows, grid.cols) < FEW else "")


def last_features(model: nn.Module, input_shape: tuple[int, int, int]) -> Grid | None:
    """Return the grid of the last features of timm's forward_intermediates, from a run on one image.

    The reductions in a model's feature_info are rounded, and some models leave them as they are for other
    patches. None is returned for a model that has no forward_intermediates, or cannot run.
    """
    forward: Any = getattr(model, "forward_intermediates", None)
    parameter = next(model.parameters(), None)
    if forward is None or parameter is None:
        return None
    image = torch.zeros(1, *input_shape, device=parameter.device, dtype=parameter.dtype)
    try:
        with evaluating(model), torch.no_grad():
            features: Tensor = forward(image, indices=1, intermediates_only=True)[-1]
        return Grid(*features.shape[-2:])
    except Exception:  # models raise anything; this is only for a line of text
        return None


def has_stages(model: nn.Module) -> bool:
    """Return whether a model's later features are coarser than its first ones, as its feature_info states."""
    info: Sequence[FeatureInfo] = getattr(model, "feature_info", None) or ()
    return len({stage["reduction"] for stage in info}) > 1


def cost_warning(model: nn.Module, input_shape: tuple[int, int, int], macs: int) -> str:
    """Return a warning about a model that costs far more than usual for one image; empty if not.

    The tokens of models with stages are not counted, as most of their layers see fewer.

    Args:
        model: any model.
        input_shape: (C, H, W) of its images.
        macs: its multiply-adds for one of them.
    """
    grid = token_grid(model, input_shape)
    if grid is not None and grid.size > MANY and not has_stages(model):
        return (
            f"{grid.rows} x {grid.cols} tokens are {grid.size // 64:,} times as many as 8 x 8, and a step "
            "takes at least that much longer; a larger model.kwargs.patch_size or a smaller data.img_size "
            "makes fewer"
        )
    if macs > MANY_MACS:
        return (
            f"{macs / 1e9:,.0f} billion multiply-adds for one image are more than those of a ViT-B/16 at "
            "224 x 224; a smaller data.img_size takes fewer"
        )
    return ""
