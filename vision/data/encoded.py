"""Encoded images, as files or bytes, that are decoded to uint8 tensors of one shape.

>>> EncodedImages(["a.png", "b.jpg"], shape=(3, 64, 64), img_size=64)[0].shape  # doctest: +SKIP
torch.Size([3, 64, 64])
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vision.data.decoding import BACKGROUND, Header, decode, read_header, read_range
from vision.data.depth import Ranges
from vision.data.image_shape import resize, to_channels
from vision.text import one_line

T = TypeVar("T")

CHUNK = 256
MOST_LETTERS = 500  # of a decoder's reason
SIZE_HINT = "set data.img_size to the side in pixels to resize all images to"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why an image cannot be read.

    Attributes:
        index: its position among the images.
        reason: a sentence that names the image.
    """

    index: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImages(Dataset[Tensor]):
    """Images that are decoded whenever they are read; item i is uint8 (C, H, W).

    Attributes:
        items: the images, each as a path or as the bytes of a file, in any format that Pillow reads.
        shape: (C, H, W) of every decoded image; load_source sets it.
        img_size: side in pixels to resize to; None resizes nothing and refuses images of another size.
        names: what messages call each image; None means the paths, or their numbers.
        background: the colour behind transparent pixels.
        ranges: of the images with more than 8 bits.
        refuse_constant: whether reading an image whose pixels are all equal is an error.
    """

    items: Sequence[str | bytes]
    shape: tuple[int, int, int] = (0, 0, 0)
    img_size: int | None = None
    names: Sequence[str] | None = None
    background: str = BACKGROUND
    ranges: Ranges = field(default_factory=Ranges)
    refuse_constant: bool = False

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Tensor:
        """Decode image `index` to uint8 (C, H, W).

        Raises:
            ValueError: it cannot be decoded, or has another size. The message names the image.
        """
        try:
            image = decode(self.items[index], background=self.background, ranges=self.ranges)
        except Exception as error:  # decoders raise nearly anything at a broken file
            raise ValueError(self._broken(index, error)) from error
        if self.img_size is not None:
            image = resize(image, self.img_size)
        channels, height, width = self.shape
        if image.shape[1:] != (height, width):
            own = f"{image.shape[1]}x{image.shape[2]}"
            raise ValueError(
                f"image {self.name(index)} is {own} (height x width) where others are {height}x{width}; "
                f"{SIZE_HINT}"
            )
        if self.refuse_constant and is_constant(image[None]).item():
            raise ValueError(
                f"image {self.name(index)} is constant: its pixels are all equal; remove it, or set "
                "data.on_constant=warn"
            )
        return to_channels(image, channels)

    def name(self, index: int) -> str:
        """Return what messages call image `index`."""
        if self.names is not None:
            return self.names[index]
        item = self.items[index]
        return repr(item) if isinstance(item, str) else f"number {index}"

    def pick(self, indices: Sequence[int]) -> "EncodedImages":
        """Return the images at the indices, still encoded."""
        names = None if self.names is None else _Subsequence(self.names, indices)
        return replace(self, items=_Subsequence(self.items, indices), names=names)

    def headers(self) -> list[Header | Unreadable]:
        """Read the header of every image, on all cores."""

        def read(index: int) -> Header | Unreadable:
            try:
                return read_header(self.items[index])
            except Exception as error:
                return Unreadable(index, self._broken(index, error))

        headers: list[Header | Unreadable] = [Unreadable(index, "") for index in range(len(self))]
        self._for_each(read, headers.__setitem__)
        return headers

    def measure_ranges(self, indices: Sequence[int]) -> list[Ranges]:
        """Return the range of each image at the indices; images that cannot be read are left out."""
        deep = self.pick(indices)

        def read(index: int) -> Ranges | None:
            try:
                return read_range(deep.items[index])
            except Exception:  # decoding will name it
                return None

        found: list[Ranges | None] = [None] * len(deep)
        deep._for_each(read, found.__setitem__)
        return [one for one in found if one is not None]

    def decode_all(self) -> tuple[Tensor, list[Unreadable]]:
        """Decode all images on all cores, to uint8 (N, C, H, W); those that cannot be read are undefined."""
        pixels = torch.empty(len(self), *self.shape, dtype=torch.uint8)
        return pixels, self.find_unreadable(pixels.__setitem__)

    def find_unreadable(
        self, keep: Callable[[int, Tensor], None] = lambda index, image: None
    ) -> list[Unreadable]:
        """Decode all images on all cores; return those that cannot be read.

        Args:
            keep: called with the number and the pixels (C, H, W) of each image that can.
        """
        found: list[Unreadable] = []

        def read(index: int) -> Tensor | Unreadable:
            try:
                return self[index]
            except ValueError as error:
                return Unreadable(index, str(error))

        def sort(index: int, image: Tensor | Unreadable) -> None:
            if isinstance(image, Unreadable):
                found.append(image)
            else:
                keep(index, image)

        self._for_each(read, sort)
        return sorted(found, key=lambda one: one.index)

    def check(self, keep: Callable[[int, Tensor], None] = lambda index, image: None) -> None:
        """Decode all images on all cores; see `broken`.

        Raises:
            ValueError: one cannot be read.
        """
        if unreadable := self.find_unreadable(keep):
            raise ValueError(unreadable[0].reason)

    def _broken(self, index: int, error: Exception) -> str:
        from PIL import UnidentifiedImageError

        reason = one_line(error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            item = self.items[index]
            is_empty = item == b"" if isinstance(item, bytes) else os.path.getsize(item) == 0
            reason = "it is empty" if is_empty else "it is not an image in a format that Pillow reads"
        elif isinstance(error, OSError) and error.strerror:
            reason = error.strerror  # without the path, which the name of the image has
        short = reason if len(reason) <= MOST_LETTERS else f"{reason[:MOST_LETTERS]}..."
        return f"image {self.name(index)} cannot be decoded: {short}"

    def _for_each(self, read: Callable[[int], T], keep: Callable[[int, T], object]) -> None:
        """Call keep(index, read(index)) for each image, in threads; the order is not defined."""

        def work(start: int) -> None:
            for index in range(start, min(start + CHUNK, len(self))):
                keep(index, read(index))

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(work, range(0, len(self), CHUNK)):
                pass


class _Subsequence(Sequence[T]):
    """Some of a sequence, without reading them."""

    def __init__(self, everything: Sequence[T], indices: Sequence[int]) -> None:
        self.everything, self.indices = everything, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        return self.everything[cast(int, self.indices[index])]


def is_constant(images: Tensor) -> Tensor:
    """uint8 (B, C, H, W) -> bool (B,): whether every channel of an image has one value everywhere."""
    planes = images.flatten(2)
    return (planes.amax(2) == planes.amin(2)).all(1)
