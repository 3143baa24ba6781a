"""From images to sets of vectors and back.

>>> import torch
>>> patchify(torch.zeros(2, 3, 32, 32), patch_size=4).shape
torch.Size([2, 64, 48])
"""

from typing import cast

import torch
from torch import Tensor

from vision.argument_types import checked
from vision.patches.grid import Grid, Size, pair, patch_grid


def patchify(images: Tensor, patch_size: Size) -> Tensor:
    """(B, C, H, W) -> (B, N, P): cut images into patches and flatten each.

    P is C times the pixels of a patch, in the order channel, row, column, like the weight of a convolution.

    Raises:
        ValueError: the images are not 4-dimensional, or the patch does not divide them.
    """
    if not isinstance(cast(object, images), Tensor):
        raise ValueError(f"images must be a Tensor (B, C, H, W), got {type(images).__name__}")
    if images.ndim != 4:
        raise ValueError(f"images must be (B, C, H, W), got shape {tuple(images.shape)}")
    batch, channels, height, width = images.shape
    grid, (rows, cols) = patch_grid((height, width), patch_size), pair(patch_size)
    x = images.reshape(batch, channels, grid.rows, rows, grid.cols, cols)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(batch, grid.size, channels * rows * cols)


@checked
def unpatchify(patches: Tensor, grid: Grid, patch_size: Size) -> Tensor:
    """(B, N, P) -> (B, C, H, W): the exact inverse of `patchify`.

    Raises:
        ValueError: the number of patches is not the grid's, or the pixels of a patch do not divide P.
    """
    if patches.ndim != 3:
        raise ValueError(f"patches must be (B, N, P), got shape {tuple(patches.shape)}")
    (batch, count, width), (rows, cols) = patches.shape, pair(patch_size)
    if count != grid.size or width % (rows * cols):
        raise ValueError(
            f"patches must be (B, {grid.size}, C * {rows * cols}) for {grid} and {patch_size=}, "
            f"got shape {tuple(patches.shape)}"
        )
    channels = width // (rows * cols)
    x = patches.reshape(batch, grid.rows, grid.cols, channels, rows, cols)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(batch, channels, grid.rows * rows, grid.cols * cols)


def tokens_to_images(x: Tensor, grid: Grid) -> Tensor:
    """(B, N, C) -> (B, C, rows, cols): a view, in torch's channels_last layout."""
    return torch.unflatten(x.transpose(1, 2), 2, (grid.rows, grid.cols))


def images_to_tokens(images: Tensor) -> Tensor:
    """(B, C, rows, cols) -> (B, N, C): a view, the inverse of `tokens_to_images`."""
    return images.flatten(2).transpose(1, 2)


@checked
def shuffle_patches(images: Tensor, patch_size: Size, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): shuffle the patches of each image, in a new order for each.

    Attention maps a set to a set. A network on these patches that adds no positions and averages its tokens
    gives the same logits for both.

    Args:
        images: any images (B, C, H, W).
        patch_size: height and width of a patch in pixels, or one number for both; must divide the images.
        generator: random generator on any device. The orders depend only on its state, B and N.

    Raises:
        ValueError: see `patchify`.
    """
    count = patch_grid((images.shape[2], images.shape[3]), patch_size).size
    numbers = torch.rand((len(images), count), generator=generator, device=generator.device)
    return reorder_patches(images, patch_size, numbers.argsort(dim=1))


def reorder_patches(images: Tensor, patch_size: Size, order: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): put the patches of each image in an order (B, N).

    Raises:
        ValueError: see `patchify`.
    """
    patches = patchify(images, patch_size)
    reordered = patches.gather(1, order.to(images.device)[..., None].expand_as(patches))
    return unpatchify(reordered, patch_grid((images.shape[2], images.shape[3]), patch_size), patch_size)
