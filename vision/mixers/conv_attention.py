"""A convolution as masked self-attention: one head per kernel position, one key per query; exact.

>>> mixer = ConvAttention(64, Grid(8, 8), kernel_size=3, explicit=True)
>>> mixer.attention_map(torch.randn(1, 64, 64)).shape
torch.Size([1, 9, 64, 64])
"""

import torch
from torch import Tensor, nn

from vision.attention import attend
from vision.attention.convolution import constant_queries_keys, merge_heads
from vision.fields import convolution, kernel_positions
from vision.mixers.convolution import Size, channel_groups, convolve, same_padding
from vision.patches import Grid


class ConvAttention(nn.Module):
    """(B, N, C) -> (B, N_query, out_chans): nn.Conv2d, written as attention inside a field.

    Head (i, j) leaves query (a, b) the one key (a * stride + i * dilation - padding, likewise b) or, beyond
    the border, none. A softmax over one entry is 1 whatever the logits are, so queries and keys are zeros,
    the same for every image; the head's value map is the tokens themselves and its output map
    weight[:, :, i, j]. The construction of Cordonnier et al. (2020), made exact by the mask.

    Parameters and their names are nn.Conv2d's (and those of the mixer `convolution`), so a state_dict
    loads from the one into the other.

    Args:
        dim: width C of a token, Conv2d's in_channels.
        grid: where the tokens sit.
        out_chans: width of the output; None is dim.
        kernel_size: tokens across, one number or (rows, cols).
        stride: step between queries.
        padding: rows and columns of zeros around the grid; None keeps the grid's size at stride 1, for odd
            kernels.
        dilation: step between the tokens of the kernel.
        groups: blocks of channels that do not mix.
        depthwise: one block for each channel, however wide the tokens are: groups of dim.
        bias: add a learned bias.
        explicit: run as attention, which is the proof and what can be looked at, in 2 to 4 times the time
            (8 x 8 to 32 x 32 tokens, kernel_size 3); else as F.conv2d on the same tokens and weights, which
            is how one trains. May be set at any time.
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
        padding = same_padding(kernel_size, dilation) if padding is None else padding
        self.field = convolution(grid, kernel_size, stride=stride, padding=padding, dilation=dilation)
        self.heads = kernel_positions(self.field)
        groups = channel_groups(dim, groups, depthwise)
        conv = nn.Conv2d(
            dim,
            out_chans or dim,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            device=device,
            dtype=dtype,
        )
        self.grid, self.stride, self.padding, self.dilation, self.groups = (
            grid,
            stride,
            padding,
            dilation,
            groups,
        )
        self.weight, self.bias, self.explicit = conv.weight, conv.bias, explicit

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N_query, out_chans)."""
        if self.explicit:
            heads = attend(*self._qkv(x), self.heads).squeeze(0)
            heads = heads.unflatten(2, (-1, x.shape[2])).permute(2, 0, 1, 3)
            out = merge_heads(heads, self.weight, self.groups)
            return out if self.bias is None else out + self.bias
        return convolve(
            x,
            self.weight,
            self.bias,
            self.grid,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, K, N_query, N): each kernel position's weights, 1 at its key; 0 off the grid."""
        return attend(*self._qkv(x), self.heads, need_weights=True)[1].expand(len(x), -1, -1, -1)

    def extra_repr(self) -> str:
        """() -> what nn.Module prints of this module."""
        return f"weight={tuple(self.weight.shape)}, stride={self.stride}, explicit={self.explicit}"

    def _qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, N, C) -> q (1, K, N_query, 1), k (1, K, N, 1), zeros; v (1, K, N, B * C), images abreast."""
        values = x.transpose(0, 1).flatten(1).expand(1, len(self.heads), -1, -1)
        queries = constant_queries_keys(values, self.field.queries.size)
        return queries, constant_queries_keys(values, x.shape[1]), values
