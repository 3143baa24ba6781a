"""Images with more than 8 bits per channel: 16-bit, 32-bit and float files, brought to 8 bits.

The range is measured over all such images of a data set, so that their brightness stays comparable:

- Integers are divided by 2^(k - 8), where k is the number of bits of the largest value, at least 8. A 12-bit
  image in a 16-bit file is thus divided by 16, and one that uses all 16 bits by 256.
- Floats in [0, 1] are multiplied by 255, and those in [0, 255] are rounded.
- Other floats, and integers with negative values, are scaled from their least and largest value to 0 and 255.

Of 16-bit images in colour, and of all 16-bit SGI files, Pillow reads the upper 8 bits. They are refused where
all values are below half of the range, in CMYK those of the inks.

>>> to_eight_bits(np.array([[0, 2048, 4095]]), Ranges(integers=(0, 4095)))
array([[  0, 128, 255]], dtype=uint8)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

Range = tuple[float, float]

_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF's tags


@dataclass(frozen=True, slots=True)
class Ranges:
    """The least and largest value of the images with more than 8 bits, by their kind.

    Attributes:
        integers: of grey images of 16 or 32 bits.
        floats: of grey images of floats.
        upper_bits: of the upper 8 bits of 16-bit images of which Pillow reads only these.
    """

    integers: Range | None = None
    floats: Range | None = None
    upper_bits: Range | None = None

    def with_values(self, values: NDArray[Any]) -> "Ranges":
        """Return ranges that include the values of a grey image.

        Raises:
            ValueError: a value is not finite.
        """
        low, high = float(values.min()), float(values.max())
        if not np.isfinite((low, high)).all():
            raise ValueError("it has values that are not finite")
        is_float = values.dtype.kind == "f"
        return self.joined(Ranges(floats=(low, high)) if is_float else Ranges(integers=(low, high)))

    def joined(self, other: "Ranges") -> "Ranges":
        """Return ranges that include both."""
        pairs = zip(_ranges(self), _ranges(other), strict=True)
        return Ranges(*(_union(one, another) for one, another in pairs))

    def flattens(self, image: "Ranges") -> bool:
        """Return whether an image uses at most 1/16 of this range, so that few of its levels remain."""
        for all_values, values in zip(_ranges(self), _ranges(image), strict=True):
            if all_values and values and values[1] > values[0]:
                return 16 * (values[1] - values[0]) <= all_values[1] - all_values[0]
        return False

    def check(self) -> None:
        """Raise a ValueError if images whose upper 8 of 16 bits are read use fewer than 16 bits."""
        if self.upper_bits is not None and self.upper_bits[1] < 128:
            most = 256 * self.upper_bits[1] + 255
            raise ValueError(
                f"images of 16 bits have no value above {most:.0f} of 65535, and only their upper 8 bits can "
                "be read; convert them to 8 bits"
            )


def is_deep(file: "Image.Image") -> bool:
    """Return whether the pixels of an opened file have more than 8 bits per channel, or a sign."""
    return file.mode[0] in "IF" or _has_only_upper_bits(file) or _is_signed_byte(file)


def deep_values(file: "Image.Image") -> NDArray[Any] | None:
    """Return the values (H, W) of a grey file with more than 8 bits, or with a sign; None for any other file.

    Pillow reads all TIFF files of 32 bits as signed, those of 8 bits as unsigned, and white for zero as
    black for zero.
    """
    if file.mode[0] not in "IF" and not _is_signed_byte(file):
        return None
    tags: Any = getattr(file, "tag_v2", {})
    bits, white_is_zero = tags.get(_BITS, (0,))[0], tags.get(_PHOTOMETRIC) == 0
    is_unsigned = bool(tags) and tags.get(_SAMPLE_FORMAT, (1,))[0] == 1
    values = np.asarray(file)
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    values = (values.view(np.int8) if _is_signed_byte(file) else values).astype(np.int64)
    if is_unsigned:
        values = values % 2**bits
    return 2**bits - 1 - values if is_unsigned and white_is_zero else values


def ranges_of(file: "Image.Image") -> Ranges:
    """Return the range of a file with more than 8 bits.

    Raises:
        ValueError: a value is not finite.
    """
    values = deep_values(file)
    if values is not None:
        return Ranges().with_values(values)
    inks_or_colours = np.asarray(file if file.mode == "CMYK" else file.convert("RGB"))
    return Ranges(upper_bits=(float(inks_or_colours.min()), float(inks_or_colours.max())))


def to_eight_bits(values: NDArray[Any], ranges: Ranges) -> NDArray[np.uint8]:
    """Scale values of any shape to 0 to 255, by the range of their kind; values outside it are clipped."""
    low, high = (ranges.floats if values.dtype.kind == "f" else ranges.integers) or (0.0, 0.0)
    if values.dtype.kind != "f" and low >= 0:
        return (values >> max(0, int(high).bit_length() - 8)).clip(0, 255).astype(np.uint8)
    if values.dtype.kind == "f" and low >= 0 and high <= 255:
        low, high = 0.0, 1.0 if high <= 1 else 255.0
    scaled = (values - low) * (255 / (high - low or 1.0))
    return scaled.round().clip(0, 255).astype(np.uint8)


def _is_signed_byte(file: Any) -> bool:
    return file.mode == "L" and file.format == "TIFF" and file.tag_v2.get(_SAMPLE_FORMAT, (1,))[0] == 2


def _has_only_upper_bits(file: "Image.Image") -> bool:
    """Return whether Pillow reads the upper 8 of 16 bits."""
    tiles = getattr(file, "tile", None)
    if not tiles or file.mode[0] in "IF":
        return False
    codec, arguments = tiles[0][0], tiles[0][3]
    if file.format == "PPM":  # scaled from the largest value that its header states
        return arguments[-1] == 65535
    return codec == "SGI16" or (file.format in ("PNG", "TIFF") and ";16" in str(arguments))


def _ranges(ranges: Ranges) -> tuple[Range | None, ...]:
    return ranges.integers, ranges.floats, ranges.upper_bits


def _union(one: Range | None, other: Range | None) -> Range | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])
