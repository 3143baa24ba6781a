"""A convolution as masked self-attention, exactly: one head per kernel position, one key per query.

>>> mixer = ConvAttention(64, Grid(8, 8), kernel_size=3, explicit=True)
>>> mixer.attention_map(torch.randn(1, 64, 64)).shape
torch.Size([1, 9, 64, 64])
"""

import torch
import torch.fx
from torch import Tensor, nn

from vision.attention import attend
from vision.attention.convolution import constant_queries_keys, merge_heads
from vision.fields import convolution, kernel_positions
from vision.mixers.convolution import channel_groups, convolve, same_padding
from vision.patches import Grid, Size, check_tokens, given_grid

# Symbolic tracing records a call of it, as its checks cannot be traced.
torch.fx.wrap("check_tokens")


class ConvAttention(nn.Module):
    """(B, N, C) -> (B, N_query, out_chans): nn.Conv2d, written as attention inside a field.

    Head (i, j) gives query (a, b) one key, or none beyond the border. The key is in row
    a * stride + i * dilation - padding and column b * stride + j * dilation - padding. A softmax over one
    entry is 1 whatever the logits are, so queries and keys are zeros for every image. The values of the head
    are the tokens themselves, and its output map is weight[:, :, i, j]. This is the construction of
    Cordonnier et al. (2020), made exact by the mask.

    The parameters have the names and shapes of nn.Conv2d's and of the mixer `convolution`, so each loads the
    others' state_dict.

    Args:
        dim: width C of a token: Conv2d's in_channels.
        grid: grid of the tokens.
        out_chans: width of the output; None is dim.
        kernel_size: tokens across, one number or (rows, cols).
        stride: step between queries.
        padding: rows and columns of zeros around the grid; None keeps the grid's size at stride 1, for odd
            kernels.
        dilation: step between the tokens of the kernel.
        groups: blocks of channels that do not mix.
        depthwise: one block for each channel, whatever the width of a token: groups = dim.
        bias: add a learned bias.
        explicit: run as attention, which shows the equality and takes 2 to 4 times as long (8 x 8 to 32 x 32
            tokens, kernel_size 3). Otherwise run as F.conv2d on the same tokens and weights, which is faster
            for training. The attribute can be changed at any time.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        out_chans: int | None = None,
        kernel_size: Size = 3,
        stride: Size = 1,
        padding: Size | None = None,
        dilation: Size = 1,
        groups: int = 1,
        depthwise: bool = False,
        bias: bool = True,
        explicit: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if out_chans is not None and out_chans < 1:
            raise ValueError(f"out_chans must be at least 1, got {out_chans}")
        padding = same_padding(kernel_size, dilation) if padding is None else padding
        self.field = convolution(grid, kernel_size, stride=stride, padding=padding, dilation=dilation)
        self.heads = kernel_positions(self.field)
        groups = channel_groups(dim, groups, depthwise)
        layout = (stride, padding, dilation, groups)
        conv = nn.Conv2d(dim, out_chans or dim, kernel_size, *layout, bias=bias, device=device, dtype=dtype)
        self.grid = grid
        self.stride, self.padding, self.dilation, self.groups = layout
        self.weight, self.bias, self.explicit = conv.weight, conv.bias, explicit

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N_query, out_chans), on another grid than the constructor's where one is given."""
        if self.explicit:
            fields = [head.on(grid) for head in self.heads]
            heads = attend(*self._qkv(x, fields[0].queries), fields).squeeze(0)
            heads = torch.unflatten(heads, 2, (-1, x.shape[2])).permute(2, 0, 1, 3)
            out = merge_heads(heads, self.weight, self.groups)
            return out if self.bias is None else out + self.bias
        return convolve(
            x,
            self.weight,
            self.bias,
            given_grid(grid) or self.grid,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, K, N_query, N): the weights of each kernel position: 1 at its key, else 0."""
        weights = attend(*self._qkv(x, self.field.queries), self.heads, need_weights=True)[1]
        return weights.expand(len(x), -1, -1, -1)

    def extra_repr(self) -> str:
        """Return what nn.Module prints of this module."""
        return f"weight={tuple(self.weight.shape)}, stride={self.stride}, explicit={self.explicit}"

    def _qkv(self, x: Tensor, queries: Grid) -> tuple[Tensor, Tensor, Tensor]:
        """(B, N, C) -> q (1, K, N_query, 1), k (1, K, N, 1), zeros; v (1, K, N, B * C)."""
        x = check_tokens(x, self.weight.shape[1] * self.groups)
        # The images are concatenated in the values.
        values = x.transpose(0, 1).flatten(1).expand(1, len(self.heads), -1, -1)
        keys = constant_queries_keys(values, x.shape[1])
        return constant_queries_keys(values, queries.size), keys, values
