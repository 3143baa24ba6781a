"""Snow, frost, fog and bright light.

>>> brightness(torch.full((1, 3, 2, 2), 0.5), 5, Draws([0], "brightness"))[0, 0, 0, 0]
tensor(0.8000)
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vision.robustness.corruptions.fractal import plasma_fractal
from vision.robustness.corruptions.sampling import blur_along, random_angles
from vision.robustness.corruptions.scale import scale_of
from vision.robustness.draws import Draws

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601
ICE = (0.85, 0.95, 1.0)  # colour of the brightest frost
ROUGH = 1.6  # decay of the frost's fractal


def snow(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): falling flakes over an image that is brighter and greyer."""
    mean, deviation, size, least, length, spread, kept = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )[severity - 1]
    scale = scale_of(x)
    flakes = _flakes(x, mean, deviation, max(1.0, size * scale), draws)
    flakes = flakes.masked_fill(flakes < least, 0).clamp(0, 1)
    flakes = blur_along(flakes, length * scale, spread * scale, random_angles(draws, -135, -45))
    bright = torch.maximum(x, _grey(x) * 1.5 + 0.5)
    return kept * x + (1 - kept) * bright + flakes + flakes.rot90(2, (2, 3))


def frost(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): a veil of ice; synthetic ridges of a fractal, not photographs."""
    kept, added = ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))[severity - 1]
    ridges = 1 - (2 * plasma_fractal(x.shape[2], x.shape[3], ROUGH, draws) - 1).abs()
    colour = torch.tensor(ICE if x.shape[1] == 3 else (1.0,)).view(-1, 1, 1)
    return kept * x + added * ridges[:, None] * colour


def fog(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): a bright fractal cloud; the brightest pixel stays as bright."""
    amount, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[severity - 1]
    most = x.amax((1, 2, 3), keepdim=True)
    clouds = plasma_fractal(x.shape[2], x.shape[3], decay, draws)[:, None]
    return (x + amount * clouds) * most / (most + amount)


def brightness(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): add to the value of HSV, the largest channel; no random numbers.

    Hue and saturation stay, so all channels of a pixel grow by the same factor. Black becomes grey.
    """
    added = (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1]
    value = x.amax(1, keepdim=True)
    brighter = (value + added).clamp(max=1)
    return torch.where(value > 0, x * brighter / value.clamp(min=1e-6), brighter)


def _flakes(x: Tensor, mean: float, deviation: float, size: float, draws: Draws) -> Tensor:
    """Return normal noise (B, 1, H, W) with grains of `size` pixels."""
    height, width = x.shape[2:]
    grains = draws.normal(1, max(2, round(height / size)), max(2, round(width / size)))
    return F.interpolate(mean + deviation * grains, (height, width), mode="bilinear", align_corners=True)


def _grey(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 1, H, W)."""
    if x.shape[1] == 1:
        return x
    return (x * torch.tensor(LUMA).view(-1, 1, 1)).sum(1, keepdim=True)
