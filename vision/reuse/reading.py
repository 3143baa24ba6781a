"""Images of any kind, read as they were for training: paths, PIL images, arrays and tensors.

>>> next(Reading().read(np.zeros((5, 4, 3), np.uint8))).shape
torch.Size([3, 5, 4])
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vision.data.decoding import BACKGROUND, decode, decode_opened
from vision.data.depth import Ranges
from vision.data.pixels import MOST_CHANNELS, image_batch
from vision.dynamic import JsonObject

if TYPE_CHECKING:
    from PIL import Image

KINDS = "a path, a PIL image, an array or a tensor, or several of them"
WITH_ALPHA = 4  # channels


@dataclass(frozen=True, slots=True)
class Reading:
    """How images are brought to 8 bits and to grey or colour.

    Attributes:
        background: the colour behind transparent pixels.
        ranges: of the training images with more than 8 bits; where there were none, each image has its own.
    """

    background: str = BACKGROUND
    ranges: Ranges = field(default_factory=Ranges)

    def read(self, images: object, channels: int = 3) -> Iterator[Tensor]:
        """Return uint8 (C, H, W) of each of one or several images.

        Args:
            images: one or several, of any kind.
            channels: that the model takes. Unless it takes 4, the last of 4 is the opacity.

        Raises:
            ValueError: one of them is not an image; the message names it.
        """
        several = cast(Iterable[object], images) if is_several(images) else [images]
        for number, item in enumerate(several):
            yield from self._read(item, number, channels)

    def _read(self, item: object, number: int, channels: int) -> Iterator[Tensor]:
        from PIL import Image

        if isinstance(item, str | Path):
            yield self._decoded(item)
        elif isinstance(item, Image.Image):
            yield self._opened(item)
        elif hasattr(item, "__array__") or isinstance(item, Tensor):
            for pixels in image_batch(_one_or_batch(item, number, channels), f"image {number}"):
                if len(pixels) == WITH_ALPHA != channels:
                    yield self._opened(Image.fromarray(as_array(pixels)))
                else:
                    yield pixels
        else:
            raise ValueError(f"image {number} must be {KINDS}, got {type(item).__name__}")

    def _decoded(self, path: str | Path) -> Tensor:
        if Path(path).is_dir():
            raise ValueError(
                f"image {path} is a folder; give the paths of its images, or use `vision predict`"
            )
        if not Path(path).is_file():
            raise ValueError(f"image {path} does not exist; give {KINDS}")
        try:
            return decode(str(path), background=self.background, ranges=self._ranges())
        except Exception as error:  # decoders raise nearly anything at a broken file
            raise ValueError(f"{path} is not an image that can be read: {error}") from error

    def _opened(self, image: "Image.Image") -> Tensor:
        return decode_opened(image, background=self.background, ranges=self._ranges())

    def _ranges(self) -> Ranges | None:
        return None if self.ranges == Ranges() else self.ranges


def reading_of(decoding: JsonObject) -> Reading:
    """Return how a saved model reads images, from the `decoding` of its config.json."""
    ranges: JsonObject = decoding.get("ranges") or {}
    pairs = {name: tuple(pair) for name, pair in ranges.items() if pair}
    return Reading(decoding.get("background", BACKGROUND), Ranges(**cast(JsonObject, pairs)))


def _one_or_batch(item: Any, number: int, channels: int) -> object:
    """Return an array, with a leading axis if `image_batch` would take its channels for images.

    Channels that are more than usual and come last come first, if the model takes as many.
    """
    shape = _shape_of(item)
    if channels > MOST_CHANNELS and len(shape) in (3, 4) and shape[-1] == channels != shape[-3]:
        item = item.movedim(-1, -3) if isinstance(item, Tensor) else np.moveaxis(np.asarray(item), -1, -3)
        shape = _shape_of(item)
    if len(shape) != 3 or min(shape[0], shape[2]) <= MOST_CHANNELS:
        return item
    if shape[0] != channels:
        raise ValueError(
            f"image {number} must be (H, W), (C, H, W) or (H, W, C) with C={channels}, got the shape "
            f"{shape}; a batch of grey images is (N, 1, H, W)"
        )
    return item[None]


def _shape_of(item: Any) -> tuple[int, ...]:
    return tuple(getattr(item, "shape", ()))


def as_array(pixels: Tensor) -> NDArray[np.uint8]:
    """(C, H, W) -> (H, W, C), or (H, W) for one channel."""
    return pixels.permute(1, 2, 0).squeeze(-1).contiguous().cpu().numpy()


def is_several(images: object) -> bool:
    """Return whether these are several images rather than one."""
    return isinstance(images, list | tuple) or getattr(images, "ndim", 0) == 4
