"""Any timm model on small images: stem and size adapted by the arguments that timm's own constructors take.

>>> list(small_image_arguments("convnext_atto", img_size=32))
['patch_size']
"""

from math import gcd
from typing import Any

import timm
import torch

SMALL = 96


def small_image_arguments(name: str, *, img_size: int | tuple[int, int], **given: Any) -> dict[str, Any]:
    """Arguments for timm.create_model that fit the model `name` to images of img_size pixels.

    Of img_size, patch_size and output_stride, those that the constructor takes: vision transformers get
    the image's size and a patch that leaves about 8 x 8 tokens or more, hierarchical models a finer stem,
    other CNNs a smaller output stride where the image is below 96 pixels.

    Args:
        name: a model in timm's registry.
        img_size: side of the images in pixels, or height and width.
        given: arguments set by hand; they win, and are tried together with ours.
    """
    side = img_size if isinstance(img_size, int) else min(img_size)
    native = build_on_meta(name)
    known_size = (getattr(native, "pretrained_cfg", None) or {}).get("input_size", (3, 224, 224))[-1]
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


def token_patch(img_size: int | tuple[int, int]) -> int:
    """Side of a patch that divides the image and leaves nearest to 8 tokens a side.

    It is at least 2 pixels, and leaves at least 2 tokens a side, or is 1 pixel where no such patch divides.
    """
    height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
    common = gcd(height, width)
    fits = [p for p in range(2, common // 2 + 1) if common % p == 0] or [1]
    return min(fits, key=lambda p: abs(min(height, width) / p - 8))


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


def build_on_meta(name: str, **arguments: Any) -> Any:
    """The model without its weights; by torch's context, as a model of one's own may lack device=."""
    with torch.device("meta"):
        return timm.create_model(name, **arguments)
