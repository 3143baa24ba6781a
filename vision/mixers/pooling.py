"""The token mixer without parameters: the mean of the tokens around each."""

import torch
import torch.fx
from torch import Tensor, nn

from vision.mixers.convolution import same_padding
from vision.patches import Grid, check_tokens, given_grid, images_to_tokens, tokens_to_images

# Symbolic tracing records a call of it, as its checks cannot be traced.
torch.fx.wrap("check_tokens")


class Pooling(nn.Module):
    """(B, N, C) -> (B, N, C): the mean over a k x k neighbourhood, minus the token itself.

    PoolFormer's mixer (Yu et al., 2022): attention with equal weights in a clipped neighbourhood, a baseline
    for all mixers that learn. Tokens beyond the border do not count. device and dtype have no effect.

    Args:
        dim: width C of a token.
        grid: grid of the tokens.
        kernel_size: odd number of tokens across the neighbourhood.
        subtract: subtract the token itself, which the residual connection around a mixer adds again.
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
        self.dim, self.grid, self.subtract = dim, grid, subtract
        padding = same_padding(kernel_size, 1)
        self.pool = nn.AvgPool2d(kernel_size, stride=1, padding=padding, count_include_pad=False)

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        grid = given_grid(grid) or self.grid
        x = check_tokens(x, self.dim, grid.size)
        images = _contiguous_on_cuda(tokens_to_images(x, grid))
        mean = images_to_tokens(self.pool(images))
        return mean - x if self.subtract else mean

    def extra_repr(self) -> str:
        """Return what nn.Module prints of this module in addition to its submodules."""
        return f"subtract={self.subtract}"


@torch.fx.wrap
def _contiguous_on_cuda(images: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W): on CUDA the padded pool's gradient is wrong in channels_last.

    PyTorch issue 188344, seen with torch 2.11.
    """
    return images.contiguous() if images.is_cuda else images
