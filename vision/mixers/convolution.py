"""The token mixer of CNNs: a convolution on the grid of tokens, without a copy of them.

>>> Convolution(64, Grid(8, 8), kernel_size=3, depthwise=True)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

import torch
import torch.fx
from torch import Tensor, nn

from vision.patches import Grid, Size, check_tokens, given_grid, images_to_tokens, pair, tokens_to_images

# Symbolic tracing records a call of it, as its checks cannot be traced.
torch.fx.wrap("check_tokens")


class Convolution(nn.Module):
    """(B, N, C) -> (B, N, C): nn.Conv2d on the token grid, zero-padded to keep its size.

    The parameters have the names and shapes of nn.Conv2d's, so either loads the other's state_dict.

    Args:
        dim: width C of a token.
        grid: grid of the tokens.
        kernel_size: odd number of tokens across, one number or (rows, cols).
        dilation: step between the tokens of the kernel.
        groups: blocks of channels that do not mix.
        depthwise: one block for each channel, whatever the width of a token: groups = dim.
        bias: add a learned bias.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        kernel_size: Size = 3,
        dilation: Size = 1,
        groups: int = 1,
        depthwise: bool = False,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        padding = same_padding(kernel_size, dilation)
        groups = channel_groups(dim, groups, depthwise)
        conv = nn.Conv2d(
            dim,
            dim,
            kernel_size,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            device=device,
            dtype=dtype,
        )
        self.grid, self.padding, self.dilation, self.groups = grid, padding, dilation, groups
        self.weight, self.bias = conv.weight, conv.bias

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        return convolve(
            x,
            self.weight,
            self.bias,
            given_grid(grid) or self.grid,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    grid: Grid,
    *,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """(B, N, C_in) -> (B, N_query, C_out): F.conv2d on the tokens of a grid, without a copy.

    Tokens (B, N, C) are images (B, C, rows, cols) in torch's channels_last layout, which is also the
    layout of the result.
    """
    images = tokens_to_images(check_tokens(x, weight.shape[1] * groups, grid.size), grid)
    return images_to_tokens(nn.functional.conv2d(images, weight, bias, stride, padding, dilation, groups))


def same_padding(kernel_size: Size, dilation: Size) -> tuple[int, int]:
    """Return the zero padding, (rows, cols), with which a convolution of stride 1 keeps the grid's size.

    Raises:
        ValueError: the kernel is even, so that the two sides would need different padding.
    """
    kernel, step = pair(kernel_size), pair(dilation)
    if any(k < 1 or k % 2 == 0 for k in kernel):
        raise ValueError(
            "kernel_size must be odd and positive to keep the grid's size, or give padding, got "
            f"{kernel_size=}"
        )
    return step[0] * (kernel[0] // 2), step[1] * (kernel[1] // 2)


def channel_groups(dim: int, groups: int, depthwise: bool) -> int:
    """Return the number of blocks of channels that do not mix: `groups`, or dim if depthwise.

    Raises:
        ValueError: depthwise is given with another number of groups.
    """
    if depthwise and groups not in (1, dim):
        raise ValueError(
            f"depthwise means groups of {dim}, one per channel; give one of the two, got {groups=}"
        )
    return dim if depthwise else groups
