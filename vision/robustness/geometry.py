"""Images with their content elsewhere, or hidden.

>>> images = torch.arange(4, dtype=torch.uint8).view(1, 1, 2, 2)
>>> shift_cyclically(images, torch.tensor([[0, 1]])).flatten()
tensor([1, 0, 3, 2], dtype=torch.uint8)
"""

import torch
from torch import Tensor

from vision.robustness.draws import Draws

DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))  # rows down, columns to the right
PARTS = 8  # rows and columns of the areas that are hidden


def shift_cyclically(images: Tensor, moves: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): move each image down and to the right; what leaves comes in opposite.

    Args:
        images: of any type.
        moves: rows and columns for each image, int64 (B, 2).
    """
    height, width = images.shape[2:]
    rows = (torch.arange(height) - moves[:, :1]) % height
    cols = (torch.arange(width) - moves[:, 1:]) % width
    batch = torch.arange(len(images))[:, None, None]
    return images[batch, :, rows[:, :, None], cols[:, None, :]].movedim(3, 1)


def random_shift(images: Tensor, distance: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): move each image cyclically in one of four directions."""
    directions = draws.integers(0, len(DIRECTIONS), 1)[:, 0]
    return shift_cyclically(images, distance * torch.tensor(DIRECTIONS)[directions])


def hide_patches(images: Tensor, share: float, colour: Tensor, orders: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): a share of 8 x 8 areas gets one colour.

    A larger share hides what a smaller one hides, too.

    Args:
        images: uint8.
        share: of the areas to hide, from 0 to 1.
        colour: one value per channel (C,).
        orders: in which the 64 areas of each image are hidden, int64 (B, 64).

    Naseer et al.: Intriguing Properties of Vision Transformers, 2021.
    """
    height, width = images.shape[2:]
    hidden = torch.zeros(len(images), PARTS * PARTS, dtype=torch.bool)
    hidden.scatter_(1, orders[:, : round(share * PARTS * PARTS)], value=True)
    rows, cols = (torch.arange(side) * PARTS // side for side in (height, width))
    mask = hidden.view(-1, PARTS, PARTS)[:, rows][:, :, cols]
    return torch.where(mask[:, None], colour.to(images.dtype).view(-1, 1, 1), images)
