"""What every stem of a backbone does first: it checks the images and pads them to whole patches."""

from abc import ABC, abstractmethod
from typing import Unpack

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

from vision.argument_types import checked
from vision.device_dtype import DeviceDtype
from vision.patches.grid import Grid, Size, padding_of, pair, patch_grid

# Symbolic tracing records a call of it, as its check cannot be traced.
torch.fx.wrap("check_images")


class Stem(nn.Module, ABC):
    """(B, C, H, W) -> (B, N, embed_dim): abstract; a subclass adds and applies the layers.

    Args:
        img_size: height and width in pixels, or one number for both.
        patch_size: height and width of a patch in pixels, or one number for both; must divide the image.
        in_chans: channels of the images.
        embed_dim: width of a token.
        dynamic_img_pad: pad images with zeros at the bottom and on the right to a multiple of the patch, as
            timm does under this name.
        dynamic_img_size: accept images of any size that the patch divides, or is padded to; otherwise of
            img_size alone.

    Attributes:
        grid: grid of the tokens.
        padding: rows and columns of zeros that are added.
        shape: (C, H, W) of the images.
    """

    @checked
    def __init__(
        self,
        img_size: Size,
        patch_size: Size,
        in_chans: int = 3,
        embed_dim: int = 64,
        *,
        dynamic_img_pad: bool = False,
        dynamic_img_size: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if min(in_chans, embed_dim) < 1:
            raise ValueError(f"in_chans and embed_dim must be at least 1, got {in_chans=}, {embed_dim=}")
        self.grid = patch_grid(img_size, patch_size, pad=dynamic_img_pad)
        self.dynamic_img_pad, self.dynamic_img_size = dynamic_img_pad, dynamic_img_size
        self.patch_size: Size = patch_size
        self.padding = padding_of(img_size, patch_size)
        self.shape = (in_chans, *pair(img_size))
        self.add_layers(patch_size, in_chans, embed_dim, device=device, dtype=dtype)

    @abstractmethod
    def add_layers(self, patch_size: Size, in_chans: int, embed_dim: int, **dd: Unpack[DeviceDtype]) -> None:
        """Add the layers as attributes."""

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, embed_dim), for sides that the patch divides."""

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, embed_dim).

        Raises:
            ValueError: the images do not have the channels and size that the module was built for.
        """
        images = check_images(images, self.shape[:1] if self.dynamic_img_size else self.shape)
        rows, cols = self._padding_of(images)
        return self.embed(F.pad(images, (0, cols, 0, rows)) if (rows, cols) != (0, 0) else images)

    def grid_of(self, images: Tensor) -> Grid | None:
        """Return the grid of images (B, C, H, W) of any size; None for that of the constructor.

        Raises:
            ValueError: the patch does not divide the images, and they are not padded.
        """
        height, width = images.shape[2:]
        grid = patch_grid((height, width), self.patch_size, pad=self.dynamic_img_pad)
        # A comparison would bind a graph for any size to the size of its example.
        return None if not torch.compiler.is_compiling() and grid == self.grid else grid

    def _padding_of(self, images: Tensor) -> tuple[int, int]:
        if not self.dynamic_img_size:
            return self.padding
        height, width = images.shape[2:]
        return padding_of((height, width), self.patch_size) if self.dynamic_img_pad else (0, 0)


def check_images(images: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the images (B, *shape) as they are; with (C,) alone, they may have any height and width.

    Raises:
        ValueError: they have other channels or another size, or are integers.
    """
    if images.ndim != 4 or tuple(images.shape[1 : 1 + len(shape)]) != shape:
        sides = (*shape, *"HW")[:3]
        raise ValueError(f"images must be (B, {', '.join(map(str, sides))}), got shape {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"images must be floating-point numbers, divided by 255, got {images.dtype}")
    return images
