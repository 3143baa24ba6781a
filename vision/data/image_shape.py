"""uint8 images brought to the channels and the size that a model takes.

>>> to_channels(torch.zeros(3, 4, 4, dtype=torch.uint8), 1).shape
torch.Size([1, 4, 4])
"""

import torch
from torch import Tensor
from torch.nn import functional as F

# Luminance in 16-bit fixed point, as in Pillow and in ITU-R BT.601.
LUMINANCE = (19595, 38470, 7471)


def to_channels(images: Tensor, channels: int) -> Tensor:
    """uint8 (..., C, H, W) -> uint8 (..., channels, H, W): grey from RGB by its luminance, RGB from grey.

    Raises:
        ValueError: the images have other channels than grey or RGB.
    """
    given = images.shape[-3]
    if given == channels:
        return images
    if given == 1:
        return images.expand(*images.shape[:-3], channels, *images.shape[-2:])
    if (given, channels) != (3, 1):
        raise ValueError(f"images must have 1 or 3 channels to be read with {channels}, got {given}")
    red, green, blue = (
        plane * weight for plane, weight in zip(images.int().unbind(-3), LUMINANCE, strict=True)
    )
    return ((red + green + blue + 2**15) >> 16).to(torch.uint8).unsqueeze(-3)


def resize(images: Tensor, img_size: int) -> Tensor:
    """uint8 (..., C, H, W) -> uint8 (..., C, img_size, img_size): the central square, antialiased."""
    if images.shape[-2:] == (img_size, img_size):
        return images
    square = central_square(images)
    batch = square.reshape(-1, *square.shape[-3:]).contiguous()
    resized = F.interpolate(batch, size=(img_size, img_size), mode="bilinear", antialias=True)
    return resized.view(*images.shape[:-2], img_size, img_size)


def central_square(images: Tensor) -> Tensor:
    """(..., H, W) -> (..., S, S): the largest square around the centre."""
    height, width = images.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images[..., top : top + side, left : left + side]


def fit(images: Tensor, height: int, width: int) -> Tensor:
    """uint8 (..., C, H, W) -> uint8 (..., C, height, width): as `resize`, then the centre of that square."""
    if images.shape[-2:] == (height, width):
        return images
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return resize(images, side)[..., top : top + height, left : left + width]
