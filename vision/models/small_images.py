"""Any timm model on small images: arguments of timm's constructors that adapt its stem and size.

>>> list(small_image_arguments("convnext_atto", img_size=32))
['patch_size']
"""

from math import gcd
from typing import Any, cast

import timm
import torch
from torch import nn

from vision.patches import Size, pair

SMALL = 96  # pixels a side; below it, a CNN gets a smaller output stride


def small_image_arguments(name: str, *, img_size: Size, **given: Any) -> dict[str, Any]:
    """Return arguments for `timm.create_model` that fit the model `name` to images of img_size pixels.

    They are those of img_size, patch_size and output_stride that the constructor accepts. Vision transformers
    get the size of the image and a patch that leaves about 8 x 8 tokens or more. Hierarchical models get a
    finer stem. Other CNNs get a smaller output stride for images below 96 pixels.

    Args:
        name: a model in timm's registry.
        img_size: height and width in pixels, or one number for both.
        given: arguments that are set already. They are kept, and tried together with the returned ones.
    """
    side = min(pair(img_size))
    native: Any = build_on_meta(name)
    config = cast(dict[str, Any], getattr(native, "pretrained_cfg", None) or {})
    known_size = cast(tuple[int, int, int], config.get("input_size", (3, 224, 224)))[-1]
    stem = native.feature_info[0]["reduction"] if getattr(native, "feature_info", None) else 16
    wanted = {"img_size": img_size, "patch_size": _patch(stem, side, known_size)}
    choices = [wanted, {"patch_size": wanted["patch_size"]}, {"img_size": img_size}]
    if side < SMALL:
        choices.append({"output_stride": 8})
    for choice in choices:
        arguments = {key: value for key, value in choice.items() if key not in given}
        if _accepts(name, {**arguments, **given}):
            return arguments
    return {}


def token_patch(img_size: Size) -> int:
    """Return the side of a patch: the one that divides the image and leaves nearest to 8 tokens a side.

    It is at least 2 pixels and leaves at least 2 tokens a side. If no such patch divides the image, it is 1.
    """
    height, width = pair(img_size)
    common = gcd(height, width)
    sides = [p for p in range(2, common // 2 + 1) if common % p == 0] or [1]
    return min(sides, key=lambda p: abs(min(height, width) / p - 8))


def _patch(stem: int, img_size: int, known_size: int) -> int:
    patch = 1
    while 2 * patch <= 2 * stem * img_size / known_size and img_size % (2 * patch) == 0:
        patch *= 2
    return patch


def _accepts(name: str, arguments: dict[str, Any]) -> bool:
    try:
        build_on_meta(name, **arguments)
    except (TypeError, AssertionError, ValueError, RuntimeError):
        return False
    return True


def build_on_meta(name: str, **arguments: Any) -> nn.Module:
    """Return a model without memory for its weights.

    It uses torch's context, because the constructor of a user's model may have no argument `device`.
    """
    with torch.device("meta"):
        return timm.create_model(name, **arguments)
