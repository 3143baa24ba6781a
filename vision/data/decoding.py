"""Encoded images, as files or bytes, that are decoded to uint8 tensors of one shape.

>>> EncodedImages(["a.png", "b.jpg"], shape=(3, 64, 64), img_size=64)[0].shape  # doctest: +SKIP
torch.Size([3, 64, 64])
"""

# torch.from_numpy has no types.
# pyright: reportUnknownMemberType=false

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from vision.text import first_few

CHUNK = 256
PROBED = 200
GREY_MODES = ("1", "L", "I", "I;16", "I;16B", "I;16L")
SIZE_HINT = "set data.img_size to the side in pixels to resize all images to"


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImages(Dataset[Tensor]):
    """Images that are decoded whenever they are read; item i is uint8 (C, H, W).

    Attributes:
        items: the images, each as a path or as the bytes of a file, in any format that Pillow reads.
        shape: (C, H, W) of every decoded image; load_source sets it.
        img_size: side in pixels to resize to; None resizes nothing and refuses images of another size.
    """

    items: Sequence[str | bytes]
    shape: tuple[int, int, int] = (0, 0, 0)
    img_size: int | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Tensor:
        """Decode image `index` to uint8 (C, H, W)."""
        item = self.items[index]
        name = repr(item) if isinstance(item, str) else f"number {index}"
        try:
            image = decode(item)
        except OSError as error:
            raise ValueError(f"image {name} cannot be decoded: {error}") from error
        if self.img_size is not None:
            image = resize(image, self.img_size)
        channels, height, width = self.shape
        if image.shape[1:] != (height, width):
            raise ValueError(
                f"image {name} is {image.shape[1]}x{image.shape[2]} (height x width) where others are "
                f"{height}x{width}; {SIZE_HINT}"
            )
        if image.shape[0] > channels:
            raise ValueError(f"image {name} is in colour where others are grey; bring all to one mode")
        return image.expand(channels, -1, -1)

    def decode_all(self) -> Tensor:
        """Decode all images on all cores, to uint8 (N, C, H, W)."""
        pixels = torch.empty(len(self), *self.shape, dtype=torch.uint8)

        def fill(start: int) -> None:
            for index in range(start, min(start + CHUNK, len(self))):
                pixels[index] = self[index]

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(fill, range(0, len(self), CHUNK)):
                pass
        return pixels

    def shapes(self) -> set[tuple[int, int, int]]:
        """Return (C, H, W) of a sample of images spread evenly over all, read from their headers."""
        step = max(1, len(self) // PROBED)
        return {_read_header(self.items[index]) for index in range(0, len(self), step)}


def decode(item: str | bytes) -> Tensor:
    """Decode the path or bytes of an image file to uint8 (C, H, W); C is 1 for grey images, otherwise 3.

    Palettes, CMYK and images with transparency become RGB; transparency itself is dropped. 16-bit grey keeps
    its upper 8 bits.

    Raises:
        OSError: this is not an image, or it is broken.
    """
    import numpy as np
    from PIL import Image

    with Image.open(item if isinstance(item, str) else BytesIO(item)) as file:
        if file.mode.startswith("I"):
            return torch.from_numpy((np.asarray(file) >> 8).astype(np.uint8))[None]
        mode = "L" if file.mode in GREY_MODES else "RGB"
        pixels = torch.from_numpy(np.array(file if file.mode == mode else file.convert(mode)))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)


def resize(images: Tensor, img_size: int) -> Tensor:
    """uint8 (..., C, H, W) -> uint8 (..., C, img_size, img_size): the central square, antialiased."""
    height, width = images.shape[-2:]
    side = min(height, width)
    if height == width == img_size:
        return images
    top, left = (height - side) // 2, (width - side) // 2
    square = images[..., top : top + side, left : left + side]
    batch = square.reshape(-1, *square.shape[-3:]).contiguous()
    resized = F.interpolate(batch, size=(img_size, img_size), mode="bilinear", antialias=True)
    return resized.view(*images.shape[:-2], img_size, img_size)


def sizes(shapes: Iterable[tuple[int, int, int]]) -> str:
    """Return heights and widths for a message: "8x8, 10x12", four at most."""
    listed = sorted({f"{height}x{width}" for _, height, width in shapes})
    return first_few(listed, 4)


def _read_header(item: str | bytes) -> tuple[int, int, int]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(item if isinstance(item, str) else BytesIO(item)) as file:
            return 1 if file.mode in GREY_MODES else 3, file.height, file.width
    except UnidentifiedImageError as error:
        raise ValueError(f"an image cannot be read: {error}") from error
