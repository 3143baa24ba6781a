"""Clouds from random numbers: the diamond-square algorithm (Fournier, Fussell and Carpenter, 1982).

>>> clouds = plasma_fractal(4, 6, 3.0, Draws([0, 1], "fog"))
>>> clouds.shape, float(clouds.min()), float(clouds.max()) <= 1
(torch.Size([2, 4, 6]), 0.0, True)
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vision.robustness.draws import Draws

Map = NDArray[np.float64]
WIBBLE = 100.0  # of the first step; only the ratios of the steps matter


def plasma_fractal(height: int, width: int, decay: float, draws: Draws) -> Tensor:
    """Return float32 (B, height, width): clouds whose square map has a range from 0 to 1.

    Args:
        height: rows.
        width: columns.
        decay: how much rougher large structures are than those of half their size; large is smooth.
        draws: random numbers of the images.
    """
    size = 2 ** max(1, (max(height, width) - 1).bit_length())
    noise = draws.uniform(-1, 1, size, size).numpy().astype(np.float64)
    clouds: Map = np.zeros_like(noise)
    step, wibble = size, WIBBLE
    while step >= 2:
        half, random = step // 2, wibble**2 * noise
        corners = clouds[:, ::step, ::step]
        squares = corners + np.roll(corners, -1, 1)
        squares = squares + np.roll(squares, -1, 2)
        clouds[:, half::step, half::step] = squares / 4 + random[:, half::step, half::step]
        _fill_diamonds(clouds, random, step)
        step, wibble = half, wibble / decay
    clouds -= clouds.min((1, 2), keepdims=True)
    clouds /= clouds.max((1, 2), keepdims=True)
    return torch.as_tensor(clouds[:, :height, :width], dtype=torch.float32)


def _fill_diamonds(clouds: Map, random: Map, step: int) -> None:
    """Fill the middle of each side of a square with the mean of its four neighbours, and noise."""
    half = step // 2
    corners, middles = clouds[:, ::step, ::step], clouds[:, half::step, half::step]
    across = middles + np.roll(middles, 1, 1) + corners + np.roll(corners, -1, 2)
    clouds[:, ::step, half::step] = across / 4 + random[:, ::step, half::step]
    down = middles + np.roll(middles, 1, 2) + corners + np.roll(corners, -1, 1)
    clouds[:, half::step, ::step] = down / 4 + random[:, half::step, ::step]
