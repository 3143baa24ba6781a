"""Any timm model on small images: arguments of timm's constructors that adapt its stem and size.

>>> list(small_image_arguments("convnext_atto", img_size=32))
['patch_size']
"""

from itertools import islice
from math import gcd, prod
from typing import Any, cast

import timm
import torch
from torch import nn

from vision.dynamic import Arguments, JsonObject
from vision.models.timm_model import TimmModel
from vision.models.token_grid import MANY, has_stages
from vision.patches import Size, padding_of, pair

SMALL = 96  # pixels a side; below it, a CNN gets a smaller output stride
FEWEST, WANTED, MOST = 4, 8, 16  # tokens on the shorter side of an image
PADDING = {"dynamic_img_size": True, "dynamic_img_pad": True}
STEP, TRIED = 32, 6  # sides that are tried in search of one that fits


def small_image_arguments(name: str, *, img_size: Size, **given: Any) -> Arguments:
    """Return arguments for `timm.create_model` that fit the model `name` to images of img_size pixels.

    They are those of img_size, patch_size and output_stride with which the model can be built, and runs on
    such images on the meta device. Vision transformers get the size of the image, and below their own size a
    patch that leaves about 8 x 8 tokens or more. Where no such patch divides the image, it is padded to a
    multiple (dynamic_img_pad) if the model can do that. Hierarchical models get a finer stem. Other CNNs get
    a smaller output stride for images below 96 pixels.

    Args:
        name: a model in timm's registry.
        img_size: height and width in pixels, or one number for both.
        given: arguments that are set already. They are kept, and tried together with the returned ones.

    Raises:
        ValueError: the model does not run on such images; the message names sizes that would fit.
    """
    native = build_on_meta(name)
    found, reason = _fitting_arguments(name, img_size, given, native)
    if found is not None or not _runs_as_it_is(name, native):
        return found or {}
    height, width = pair(img_size)
    sides = [f"data.img_size={side}" for side in _fitting_sides(name, max(height, width), given, native)]
    fits = f"{' or '.join(sides)} would fit" if sides else "no size nearby fits"
    raise ValueError(f"model {name!r} cannot run on images of {height} x {width} pixels ({reason}); {fits}")


def token_patch(img_size: Size, *, power_of_two: bool = False) -> int:
    """Return the side of a patch that leaves about 8 tokens on the shorter side of the image.

    Of the patches that divide the image and leave from 4 to 16 tokens on its shorter side, it is the one that
    leaves nearest to 8. If there is none, it is 1 for images of up to 256 pixels (16 x 16). Larger images are
    to be padded to a multiple of an eighth of their side.

    Args:
        img_size: height and width in pixels, or one number for both.
        power_of_two: take only 2, 4, 8 and so on.
    """
    height, width = pair(img_size)
    side, common = min(height, width), gcd(height, width)
    sides = [p for p in range(2, side + 1) if not power_of_two or p & (p - 1) == 0]
    fits = [p for p in sides if common % p == 0 and FEWEST <= side / p <= MOST]
    if not fits and height * width <= MOST**2 and not power_of_two:
        return 1
    return min(fits or sides or [2], key=lambda p: abs(side / p - WANTED))


def _fitting_arguments(
    name: str, img_size: Size, given: Arguments, native: nn.Module
) -> tuple[Arguments | None, str]:
    """Return the first arguments with which the model runs, or None, and why the last ones do not."""
    reason = ""
    for choice in _choices(native, img_size):
        arguments = {key: value for key, value in choice.items() if key not in given}
        try:
            _run(name, img_size, {**arguments, **given})
            return arguments, ""
        except TypeError as error:
            if not arguments:  # an argument of the user's, which create_model names
                return arguments, ""
            reason = reason or str(error)
        except (AssertionError, ValueError, RuntimeError, IndexError, ArithmeticError) as error:
            reason = str(error)
    return None, " ".join(reason.split())


def _choices(known: nn.Module, img_size: Size) -> list[Arguments]:
    """Return arguments to try, the best first, for a model that is built without arguments as `known`."""
    native = cast(TimmModel, known)
    height, width = pair(img_size)
    patch = _patch(native, (height, width))
    wanted = {"img_size": img_size, "patch_size": patch}
    rows, cols = padding_of(img_size, patch)
    # timm counts the patches of img_size, so it must be the padded one.
    padded = {**wanted, "img_size": (height + rows, width + cols), **PADDING}
    choices = [padded, wanted] if rows or cols else [wanted]
    if patch == _stem(native) and not hasattr(getattr(native, "patch_embed", None), "patch_size"):
        choices = [{"img_size": img_size}, {}]  # its argument may count otherwise, as Visformer's
    choices += [{"patch_size": patch}, {"img_size": img_size}]
    return [*choices, *([{"output_stride": 8}] if min(height, width) < SMALL else []), {}]


def _patch(native: Any, img_size: tuple[int, int]) -> int:
    """Return a patch for a model's images: its own, or a power of two below it.

    It leaves from half as many tokens on the shorter side as the model has at its own size, to as many. For
    models without stages, these are at most 16. The patch divides the image if it then leaves few enough
    tokens. A long image gets a larger one if it has more than 1,024 tokens, and more than the model's own.
    """
    stem, known_size, side = _stem(native), _native_side(native), min(img_size)
    usual = max(MOST, known_size / stem)
    tokens = known_size / stem if has_stages(native) else min(MOST, known_size / stem)
    wanted = 1
    while 2 * wanted <= 2 * side / tokens:
        wanted *= 2
    most = max(MANY, (known_size // stem) ** 2)
    while wanted < stem and prod(img_size) > most * wanted**2 and side >= 2 * FEWEST * wanted:
        wanted *= 2
    wanted = min(wanted, stem)
    dividing = gcd(wanted, *img_size)
    few_enough = side <= usual * dividing and (dividing > 1 or wanted == 1)
    return dividing if few_enough or side <= MOST else wanted


def _stem(native: Any) -> int:
    """Return the number of pixels per side of a model's first tokens, or features."""
    return native.feature_info[0]["reduction"] if getattr(native, "feature_info", None) else 16


def _run(name: str, img_size: Size, arguments: Arguments) -> None:
    """Build a model and run it on one image, without memory or numbers."""
    model = build_on_meta(name, **arguments).eval()
    channels = arguments.get("in_chans", 3)
    with torch.no_grad():
        model(torch.zeros(1, channels, *pair(img_size), device="meta"))


def _runs_as_it_is(name: str, native: nn.Module) -> bool:
    """Return whether the model runs on the meta device at its own size; otherwise the test shows nothing."""
    try:
        _run(name, _native_side(native), {})
    except Exception:
        return False
    return True


def _native_side(model: object) -> int:
    config = cast(JsonObject, getattr(model, "pretrained_cfg", None) or {})
    return cast(tuple[int, int, int], config.get("input_size", (3, 224, 224)))[-1]


def _fitting_sides(name: str, side: int, given: Arguments, native: nn.Module) -> list[int]:
    """Return up to two sides near `side` on which the model runs, in order."""
    own = _native_side(native)
    nearest = sorted(range(STEP, 2 * max(side, own), STEP), key=lambda other: abs(other - side))[:TRIED]
    fits = (one for one in (*nearest, own) if _fitting_arguments(name, one, given, native)[0] is not None)
    return sorted({*islice(fits, 2)})


def build_on_meta(name: str, **arguments: Any) -> nn.Module:
    """Return a model without memory for its weights.

    It uses torch's context, because the constructor of a user's model may have no argument `device`.
    """
    with torch.device("meta"):
        return timm.create_model(name, **arguments)
