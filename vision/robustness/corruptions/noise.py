"""Noise of the sensor and of the transmission; each channel of each pixel is independent.

>>> gaussian_noise(torch.full((2, 1, 8, 8), 0.5), 1, Draws([0, 1], "noise")).std() < 0.05
tensor(True)
"""

from torch import Tensor

from vision.robustness.draws import Draws


def gaussian_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): add normal noise, as in low light."""
    deviation = (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1]
    return x + deviation * draws.normal(*x.shape[1:])


def shot_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): count photons, with a mean of `photons` at full brightness."""
    photons = (500, 250, 100, 75, 50)[severity - 1]
    return draws.poisson(x * photons) / photons


def impulse_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): replace a share of the values by 0 or 1, salt and pepper."""
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    chance = draws.uniform(0, 1, *x.shape[1:])
    return x.masked_fill(chance < share / 2, 0.0).masked_fill(chance >= 1 - share / 2, 1.0)
