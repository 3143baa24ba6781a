"""The unit of the constants that count pixels: CIFAR-10-C has images of 32 x 32.

>>> scale_of(torch.zeros(1, 3, 64, 96))
2.0
"""

from torch import Tensor

SIDE = 32


def scale_of(images: Tensor) -> float:
    """Return by how much the shorter side of images (B, C, H, W) is longer than 32 pixels."""
    return min(images.shape[2:]) / SIDE
