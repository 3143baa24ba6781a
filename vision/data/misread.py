"""Files that Pillow opens, but whose values it gets wrong: they count as unreadable.

>>> from PIL import Image
>>> check_formats(Image.new("RGB", (2, 2)))
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

_SIZE_MARKER = b"\xff\x4f\xff\x51"  # JPEG 2000's start of codestream, then its marker SIZ
_COUNT_AT = 40  # bytes from there to the number of components; 3 bytes on each follow
_CHUNK = 2**16
_BITS, _PHOTOMETRIC, _FILL_ORDER, _PLANES = 258, 262, 266, 284  # TIFF's tags


def check_formats(file: "Image.Image") -> None:
    """Raise a ValueError if Pillow gets the values of an opened file wrong.

    - JPEG 2000 with more than 8 bits: it rounds to 8 bits, and the brightest values become 0. Only grey
      images that it opens in mode I;16 keep their values.
    - FITS: it reads neither the sign nor the scale of the values, and only one plane of several.
    - TIFF, uncompressed and in separate planes: it reads any values as plain ones of 8 bits or 1 bit.
    """
    if file.format == "JPEG2000" and file.mode != "I;16" and (bits := _bits_of_jpeg2000(file)) > 8:
        raise ValueError(
            f"it is a JPEG 2000 image of {bits} bits per channel, whose brightest values Pillow reads as 0; "
            "convert it to 8 bits, or to PNG"
        )
    if file.format == "FITS":
        raise ValueError(
            "Pillow reads FITS files without the sign, the scale and the further planes of their values; "
            "convert it to TIFF"
        )
    if file.format == "TIFF" and _has_other_planes(file):
        raise ValueError(
            "it is an uncompressed TIFF file in separate planes, which Pillow reads wrong unless they have 8 "
            "bits and zero is black; convert it to one plane, or to PNG"
        )


def _bits_of_jpeg2000(file: Any) -> int:
    """Return the largest number of bits of a channel."""
    position = file.fp.tell()
    file.fp.seek(0)
    head = b""
    while (start := head.find(_SIZE_MARKER)) < 0 and (more := file.fp.read(_CHUNK)):
        head += more
    head += file.fp.read(_CHUNK)
    file.fp.seek(position)
    count = int.from_bytes(head[start + _COUNT_AT :][:2])
    depths = head[start + _COUNT_AT + 2 :][: 3 * count : 3]
    return max((depth & 0x7F) + 1 for depth in depths) if start >= 0 and depths else 8


def _has_other_planes(file: Any) -> bool:
    """Return whether a TIFF has planes for which Pillow needs more than the first letter of its raw mode."""
    tags, tiles = file.tag_v2, file.tile
    if tags.get(_PLANES, 1) != 2 or not tiles or tiles[0][0] != "raw":
        return False
    is_plain = tags.get(_PHOTOMETRIC) != 0 and tags.get(_FILL_ORDER, 1) == 1
    return not (is_plain and set(tags.get(_BITS, (1,))) <= {1, 8})
