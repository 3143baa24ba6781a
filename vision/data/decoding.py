"""One image file, or its bytes, as a uint8 tensor that shows what an image viewer shows.

>>> from PIL import Image
>>> file = BytesIO()
>>> Image.new("L", (3, 2)).save(file, format="png")
>>> decode(file.getvalue()).shape
torch.Size([1, 2, 3])
"""

# torch.from_numpy has no types.
# pyright: reportUnknownMemberType=false

from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from vision.data.depth import Ranges, deep_values, is_deep, ranges_of, to_eight_bits
from vision.data.image_shape import LUMINANCE
from vision.data.misread import check_formats

if TYPE_CHECKING:
    from PIL import Image

GREY_MODES = ("1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
BACKGROUND = "white"
_ORIENTATION = 0x0112  # EXIF's tag
_PNG_STEPS = {"L;2": 85, "L;4": 17}  # between the levels of grey of 2 and 4 bits


class Header(NamedTuple):
    """What the first bytes of an image file contain.

    Attributes:
        shape: (C, H, W) as it is shown; C is 1 for grey images, otherwise 3.
        mode: Pillow's name of the file's pixels, such as RGB.
        deep: whether the pixels have more than 8 bits.
        several: whether the file has further frames or pages, which are not read.
    """

    shape: tuple[int, int, int]
    mode: str
    deep: bool
    several: bool


def read_header(item: str | bytes) -> Header:
    """Read the header of an image file, from its path or its bytes.

    Raises:
        Exception: whatever Pillow raises where this is not an image.
    """
    with _open(item) as file:
        sides = (file.height, file.width)
        turned = _orientation(file, loaded=False) in (5, 6, 7, 8)
        height, width = reversed(sides) if turned else sides
        channels = 1 if file.mode in GREY_MODES else 3
        several = bool(getattr(file, "is_animated", False))
        return Header((channels, height, width), file.mode, is_deep(file), several)


def decode(item: str | bytes, *, background: str = BACKGROUND, ranges: Ranges | None = None) -> Tensor:
    """Decode the path or bytes of an image file to uint8 (C, H, W); C is 1 for grey images, otherwise 3.

    The image is turned upright by its EXIF orientation. Palettes, CMYK and images with transparency become
    RGB. Of several frames or pages the first is read.

    Args:
        item: path or bytes, in any format that Pillow reads.
        background: the colour behind transparent pixels: a name, or #rrggbb.
        ranges: of images with more than 8 bits; None measures those of this image. See `vision.data.depth`.

    Raises:
        Exception: whatever Pillow raises where this is not an image, or it is broken.
    """
    with _open(item) as file:
        return decode_opened(file, background=background, ranges=ranges)


def decode_opened(
    file: "Image.Image", *, background: str = BACKGROUND, ranges: Ranges | None = None
) -> Tensor:
    """Decode an image that Pillow has opened, or that was made with Pillow, as `decode` does."""
    values = deep_values(file)
    if values is None:
        pixels = np.array(_eight_bits(file, background))
    else:
        pixels = to_eight_bits(values, ranges or Ranges().with_values(values))
        if isinstance(clear := file.info.get("transparency"), int):  # one value of a grey PNG
            pixels = np.where(values == clear, np.uint8(_grey(background)), pixels)
    orientation = _orientation(file, loaded=True)
    image = torch.from_numpy(pixels)
    return _upright(image[None] if image.ndim == 2 else image.permute(2, 0, 1), orientation)


def read_range(item: str | bytes) -> Ranges:
    """Return the least and largest value of an image with more than 8 bits per channel.

    Raises:
        Exception: as `decode`.
    """
    with _open(item) as file:
        return ranges_of(file)


def check_background(background: str) -> None:
    """Raise a ValueError if data.background is not a colour."""
    _colour(background)


def _open(item: str | bytes) -> "Image.Image":
    from PIL import Image

    file = Image.open(item if isinstance(item, str) else BytesIO(item))
    check_formats(file)
    _scale_transparency(file)
    return file


def _scale_transparency(file: Any) -> None:
    """Bring the transparent value of a PNG to 8 bits, as Pillow does with its pixels, but not with that."""
    clear, tiles = file.info.get("transparency"), getattr(file, "tile", None)
    if file.format != "PNG" or not tiles or clear is None:
        return
    kind = str(tiles[0][3])
    if isinstance(clear, int) and kind in _PNG_STEPS:
        file.info["transparency"] = clear * _PNG_STEPS[kind]
    if isinstance(clear, tuple) and ";16" in kind:
        file.info["transparency"] = tuple(value >> 8 for value in cast("tuple[int, ...]", clear))


def _eight_bits(file: "Image.Image", background: str) -> "Image.Image":
    """Return the image in mode L or RGB, transparent pixels on the background."""
    from PIL import Image

    mode = "L" if file.mode in GREY_MODES else "RGB"
    if file.has_transparency_data:
        layer = file.convert("RGBA")
        file = Image.alpha_composite(Image.new("RGBA", layer.size, (*_colour(background), 255)), layer)
    return file if file.mode == mode else file.convert(mode)


def _colour(name: str) -> tuple[int, int, int]:
    from PIL import ImageColor

    try:
        red, green, blue, *_ = ImageColor.getrgb(name)
    except ValueError as error:
        raise ValueError(
            f"data.background must be the name of a colour, such as white, or #rrggbb, got {name!r}"
        ) from error
    return red, green, blue


def _grey(background: str) -> int:
    """Return the luminance of a colour."""
    parts = zip(_colour(background), LUMINANCE, strict=True)
    return (sum(part * weight for part, weight in parts) + 2**15) >> 16


def _orientation(file: "Image.Image", *, loaded: bool) -> int:
    """Return EXIF's orientation, from 1 (upright) to 8; 1 if the file has none, or none that can be read."""
    if file.format == "TIFF":  # Pillow turns TIFF itself, and its header has the size that is shown
        return 1
    if file.format == "PNG" and not loaded and "exif" not in file.info:
        return 1  # to look further, Pillow would decode the pixels
    try:
        return int(file.getexif().get(_ORIENTATION, 1))
    except Exception:  # viewers show an image with broken EXIF data as it is
        return 1


def _upright(image: Tensor, orientation: int) -> Tensor:
    """(C, H, W) -> (C, H, W) or (C, W, H): the image turned by its orientation."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 2)
    axes = {2: (2,), 3: (1, 2), 4: (1,), 6: (2,), 7: (1, 2), 8: (1,)}.get(orientation)
    return image.flip(axes) if axes else image
