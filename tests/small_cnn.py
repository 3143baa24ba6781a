"""A small CNN with everything that a conversion has to handle, and images for it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIZE = 24


class Small(nn.Module):
    """A convolution with its norm, one that runs twice under two names, and a pool called as a function."""

    mix: Tensor

    def __init__(self, seed: int, width: int = 8) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv = nn.Conv2d(3, width, 5, stride=2, padding=2)
            self.norm = nn.BatchNorm2d(width)
            self.twice = nn.Conv2d(width, width, 3, padding=1)
            self.again = self.twice
            self.pool = nn.MaxPool2d(3, 2, 1)
            self.head = nn.Linear(width, 4)
            self.register_buffer("mix", torch.eye(width), persistent=False)  # a state_dict is without it
            mean, variance = self.norm.running_mean, self.norm.running_var
            assert mean is not None and variance is not None
            mean.normal_()
            variance.uniform_(0.5, 2)
            self.norm.weight.data.normal_()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.norm(self.conv(x))))
        x = F.avg_pool2d(self.again(self.twice(x)), 2)
        return self.head(x.flatten(2).mean(-1) @ self.mix)


def images(dtype: torch.dtype = torch.float32, size: int = SIZE, channels: int = 3) -> Tensor:
    return torch.randn(2, channels, size, size, generator=torch.Generator().manual_seed(1), dtype=dtype)
