"""Blur of the lens, of frosted glass and of motion.

>>> images = torch.rand(2, 3, 32, 32)
>>> zoom_blur(images, 5, Draws([0, 1], "zoom")).std() < images.std()
tensor(True)
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from vision.robustness.corruptions.sampling import blur_along, random_angles, zoom
from vision.robustness.corruptions.scale import scale_of
from vision.robustness.draws import Draws


def defocus_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): the blur of a round aperture; no random numbers."""
    radius, smoothing = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[severity - 1]
    kernel = aperture(radius * scale_of(x), smoothing * scale_of(x))
    padded = F.pad(x, (len(kernel) // 2,) * 4, mode="reflect")
    return F.conv2d(padded.flatten(0, 1)[:, None], kernel[None, None]).view_as(x)


def glass_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): blur, read each pixel at one nearby, and blur again."""
    constants = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))
    deviation, distance, times = constants[severity - 1]
    deviation, distance = deviation * scale_of(x), max(1, round(distance * scale_of(x)))
    x = _smooth(x, deviation)
    for _ in range(times):
        x = read_nearby(x, distance, draws)
    return _smooth(x, deviation)


def motion_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): the blur of a camera that moves within 45 degrees of the horizontal."""
    length, deviation = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[severity - 1]
    scale = scale_of(x)
    return blur_along(x, length * scale, deviation * scale, random_angles(draws, -45, 45))


def zoom_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): the mean of an image and of its centre at several zooms.

    The zooms are those of numpy.arange(1, end, 0.01) with the ends of CIFAR-10-C, 1.06 to 1.26. Rounding lets
    the first two ranges reach their end.
    """
    steps = (7, 12, 16, 21, 26)[severity - 1]
    zoomed = sum((zoom(x, 1 + 0.01 * step) for step in range(steps)), start=torch.zeros_like(x))
    return (x + zoomed) / (steps + 1)


def aperture(radius: float, smoothing: float) -> Tensor:
    """Return the kernel (K, K) of a disk of a radius in pixels, with smooth edges; its sum is 1."""
    edge = max(1, round(smoothing))  # as in CIFAR-10-C, where the smoothing has 3 x 3 pixels
    reach = int(radius) + edge
    offsets = np.arange(-reach, reach + 1)
    disk = (offsets**2 + offsets[:, None] ** 2 <= radius**2).astype(np.float64)
    kernel = gaussian_filter(disk / disk.sum(), smoothing, mode="constant", radius=edge)
    return torch.as_tensor(kernel / kernel.sum(), dtype=torch.float32)


def read_nearby(x: Tensor, distance: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): each pixel takes the value of one up to `distance` rows and columns away.

    Pixels within this distance of the border stay. The authors' code does the same for a distance of 1: it
    means to swap pixels, but assigns views of one array to each other.
    """
    height, width = x.shape[2:]
    rows, cols = torch.arange(height)[:, None], torch.arange(width)[None]
    inner = (rows > distance) & (rows <= height - distance) & (cols > distance) & (cols <= width - distance)
    moves = draws.integers(-distance, distance, 2, height, width) * inner
    at = (rows + moves[:, 0]) * width + cols + moves[:, 1]
    return x.flatten(2).gather(2, at.flatten(1)[:, None].expand(-1, x.shape[1], -1)).view_as(x)


def _smooth(x: Tensor, deviation: float) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): a normal blur; the outermost pixels are repeated."""
    return torch.as_tensor(gaussian_filter(x.numpy(), (0, 0, deviation, deviation), mode="nearest"))
