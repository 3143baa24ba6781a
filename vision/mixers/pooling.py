"""The token mixer without parameters: the mean of the tokens around."""

import torch
from torch import Tensor, nn

from vision.mixers.convolution import same_padding
from vision.patches import Grid


class Pooling(nn.Module):
    """(B, N, C) -> (B, N, C): the mean over a k x k neighbourhood, less the token itself.

    PoolFormer's mixer (Yu et al., 2022): attention with equal weights in a clipped neighbourhood, a floor for
    all mixers that learn. What is beyond the border does not count. dim, device and dtype change nothing.

    Args:
        dim: width C of a token.
        grid: where the tokens sit.
        kernel_size: odd number of tokens across the neighbourhood.
        subtract: take the token itself off, which the residual around a mixer adds again.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        kernel_size: int = 3,
        subtract: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.grid, self.subtract = grid, subtract
        padding = same_padding(kernel_size, 1)
        self.pool = nn.AvgPool2d(kernel_size, stride=1, padding=padding, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        images = x.transpose(1, 2).unflatten(2, (self.grid.rows, self.grid.cols))
        mean = self.pool(images).flatten(2).transpose(1, 2)
        return mean - x if self.subtract else mean

    def extra_repr(self) -> str:
        """() -> what nn.Module prints of this module besides its submodules."""
        return f"subtract={self.subtract}"
