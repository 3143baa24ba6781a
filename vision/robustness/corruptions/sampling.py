"""Images read at moved points, by bilinear interpolation.

>>> images = torch.rand(2, 3, 8, 8)
>>> torch.allclose(zoom(images, 1.0), images, atol=1e-6)
True
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vision.robustness.draws import Draws


def read_at(images: Tensor, x: Tensor, y: Tensor, *, outside: str) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): each pixel read at a column x and a row y, both (B, H, W).

    Args:
        images: float32.
        x: columns in pixels, from 0.
        y: rows in pixels, from 0.
        outside: border repeats the outermost pixels, reflection mirrors the image at their centres.
    """
    height, width = images.shape[2:]
    grid = torch.stack([2 * x / max(1, width - 1) - 1, 2 * y / max(1, height - 1) - 1], dim=-1)
    return F.grid_sample(images, grid, padding_mode=outside, align_corners=True)


def pixel_grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the columns and the rows of all pixels of images, (1, H, W) each."""
    height, width = images.shape[2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return x[None].float(), y[None].float()


def zoom(images: Tensor, factor: float) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): enlarge the centre of each image."""
    (x, y), (height, width) = pixel_grid(images), images.shape[2:]
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    x, y = (x - centre_x) / factor + centre_x, (y - centre_y) / factor + centre_y
    size = (len(images), height, width)
    return read_at(images, x.expand(size), y.expand(size), outside="border")


def blur_along(images: Tensor, length: float, deviation: float, angles: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): blur each image along a line, as ImageMagick's motion blur.

    The weights fall as one half of a normal distribution, from the pixel itself on.

    Args:
        images: float32.
        length: of the line on one side, in pixels.
        deviation: of the normal distribution, in pixels.
        angles: of the lines, in degrees (B,).
    """
    steps = range(min(2 * math.ceil(length), math.ceil(4 * deviation)) + 1)
    weights = torch.tensor([math.exp(-(step**2) / (2 * deviation**2)) for step in steps])
    (x, y), radians = pixel_grid(images), torch.deg2rad(angles).view(-1, 1, 1)
    blurred = torch.zeros_like(images)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        moved = x + step * radians.cos(), y + step * radians.sin()
        blurred += weight * read_at(images, *moved, outside="border")
    return blurred


def random_angles(draws: Draws, low: float, high: float) -> Tensor:
    """Return an angle in degrees for each image (B,)."""
    return draws.uniform(low, high, 1)[:, 0]
