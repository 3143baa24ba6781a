"""What every stem of a backbone does first: it checks the images and pads them to whole patches."""

from abc import ABC, abstractmethod
from typing import Unpack

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

from vision.device_dtype import DeviceDtype
from vision.patches.grid import Size, padding_of, pair, patch_grid

# Symbolic tracing records a call of it, as its check cannot be traced.
torch.fx.wrap("check_images")


class Stem(nn.Module, ABC):
    """(B, C, H, W) -> (B, N, embed_dim): abstract; a subclass adds and applies the layers.

    Args:
        img_size: height and width in pixels, or one number for both; forward accepts no other size.
        patch_size: height and width of a patch in pixels, or one number for both; must divide the image.
        in_chans: channels of the images.
        embed_dim: width of a token.
        dynamic_img_pad: pad images with zeros at the bottom and on the right to a multiple of the patch, as
            timm does under this name.

    Attributes:
        grid: grid of the tokens.
        padding: rows and columns of zeros that are added.
        shape: (C, H, W) of the images.
    """

    def __init__(
        self,
        img_size: Size,
        patch_size: Size,
        in_chans: int = 3,
        embed_dim: int = 64,
        *,
        dynamic_img_pad: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.grid = patch_grid(img_size, patch_size, pad=dynamic_img_pad)
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
        images = check_images(images, self.shape)
        if self.padding != (0, 0):
            images = F.pad(images, (0, self.padding[1], 0, self.padding[0]))
        return self.embed(images)


def check_images(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return the images (B, *shape) as they are.

    Raises:
        ValueError: they have other channels or another size.
    """
    if tuple(images.shape[1:]) != shape:
        raise ValueError(f"images must be (B, {', '.join(map(str, shape))}), got shape {tuple(images.shape)}")
    return images
