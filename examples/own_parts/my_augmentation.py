"""A random change of one image: it is inverted, dark to bright, with some probability."""

import torch
from torch import Tensor


def invert(image: Tensor, p: float = 0.5) -> Tensor:
    """Uint8 (C, H, W) -> (C, H, W). The draws of torch's global generator depend on the run's seed."""
    return 255 - image if torch.rand(()) < p else image
