"""Changes by the camera's software: contrast, elastic deformation, large pixels and JPEG.

>>> contrast(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2), 2, Draws([0], "contrast")).flatten()
tensor([0.2500, 0.7500])
"""

import io
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from vision.robustness.corruptions.sampling import pixel_grid, read_at
from vision.robustness.draws import Draws


def contrast(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): shrink the distances to the mean of each channel; no random numbers."""
    kept = (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1]
    mean = x.mean((2, 3), keepdim=True)
    return mean + kept * (x - mean)


def elastic_transform(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): a random affine map, then small smooth displacements.

    Simard, Steinkraus and Platt (2003). The constants are shares of the shorter side.
    """
    strength, smoothness, affine = (
        (0, 0, 0.08),
        (0.05, 0.2, 0.07),
        (0.08, 0.06, 0.06),
        (0.1, 0.04, 0.05),
        (0.1, 0.03, 0.03),
    )[severity - 1]
    height, width = x.shape[2:]
    side = min(height, width)
    points = draws.uniform(-affine * side, affine * side, 3, 2)
    moves = [_displacement(draws, height, width, smoothness * side, strength * side) for _ in range(2)]
    columns, rows = pixel_grid(x)
    return read_at(x, *_undo_affine(columns + moves[0], rows + moves[1], points), outside="reflection")


def pixelate(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): shrink and enlarge with Pillow's box filter; no random numbers."""
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1]

    def change(image: Image.Image) -> Image.Image:
        width, height = (max(1, int(side * share)) for side in image.size)
        return image.resize((width, height), Image.Resampling.BOX).resize(image.size, Image.Resampling.BOX)

    return _with_pillow(x, change)


def jpeg_compression(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): write and read each image as JPEG; no random numbers."""
    quality = (80, 65, 58, 50, 40)[severity - 1]

    def change(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _with_pillow(x, change)


def _undo_affine(x: Tensor, y: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
    """Return where an affine map takes columns and rows (B, H, W) from.

    The map moves three corners of the central square by `moves` (B, 3, 2), columns and rows. The side of this
    square is two thirds of the image's.
    """
    height, width = x.shape[1:]
    half, (column, row) = min(height, width) // 3, (width // 2, height // 2)
    corners = [(column + half, row + half), (column + half, row - half), (column - half, row - half)]
    points = torch.tensor(corners, dtype=x.dtype)
    moved = torch.cat([points + moves, torch.ones(len(moves), 3, 1)], dim=2)
    inverse = cast(Any, torch.linalg).solve(moved, points.expand(len(moves), 3, 2))
    at: Tensor = torch.stack([x, y, torch.ones_like(x)], dim=-1).flatten(1, 2) @ inverse
    return at[..., 0].view_as(x), at[..., 1].view_as(y)


def _displacement(draws: Draws, height: int, width: int, smoothness: float, strength: float) -> Tensor:
    """Return smooth random displacements in pixels (B, H, W)."""
    noise = draws.uniform(-1, 1, height, width).numpy()
    if not strength:
        return torch.zeros(noise.shape)
    return strength * torch.as_tensor(gaussian_filter(noise, (0, smoothness, smoothness), truncate=3))


def _with_pillow(x: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): change each image as an image of Pillow."""
    grey = x.shape[1] == 1
    changed: list[np.ndarray] = []
    for pixels in x.mul(255).round().to(torch.uint8):
        array = pixels[0].numpy() if grey else pixels.permute(1, 2, 0).numpy()
        changed.append(np.asarray(change(Image.fromarray(array))))
    stacked = torch.as_tensor(np.stack(changed))
    return (stacked[:, None] if grey else stacked.permute(0, 3, 1, 2)).float() / 255
