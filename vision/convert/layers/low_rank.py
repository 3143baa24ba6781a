"""A convolution with the fewest position-only heads, which share keys.

>>> box_blur = nn.Conv2d(1, 1, 3, padding=1, bias=False)
>>> nn.init.ones_(box_blur.weight) is box_blur.weight
True
>>> MinimalConvolutionAttention(box_blur, (8, 8)).num_heads
1
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vision.attention import attend
from vision.attention.convolution import constant_queries_keys, merge_heads
from vision.convert.layers.convolution import ConvolutionAttention
from vision.convert.layers.geometry import PADDED, ConvNd, Size, Window
from vision.convert.layers.positional_heads import positional_heads
from vision.convert.layers.tokens import null_tokens, tokens_of, with_null_tokens
from vision.fields import Field

NO_WEIGHT = -1e4  # score of a position without weight: finite for optimizers, and its exponential is 0


class MinimalConvolutionAttention(ConvolutionAttention):
    """(B, C, *input_size) -> (B, O, *output_size): a convolution by few heads, each on the whole window.

    Head h puts the weights softmax(positions[h]) on the K positions of every query's window, whatever the
    tokens are. Its value map is values[h]. A position of the zero padding is a null token of value 0, which
    takes its weight as well.

    Args:
        conv: the convolution. Its bias is shared.
        input_size: positions on each axis of the input.
        window: a geometry other than the module's own.
    """

    kind = "convolution, fewest heads"

    def __init__(self, conv: ConvNd, input_size: Size, *, window: Window | None = None) -> None:
        super().__init__(conv, input_size, window=window)
        del self.weight
        positions, values = positional_heads(conv.weight.detach())
        learns = conv.weight.requires_grad
        self.positions = nn.Parameter(positions.log().clamp(min=NO_WEIGHT), requires_grad=learns)
        self.values = nn.Parameter(values, requires_grad=learns)

    @property
    def num_heads(self) -> int:
        """r or r + 1 for a kernel of rank r."""
        return len(self.positions)

    @property
    def heads(self) -> Sequence[Field]:
        """The field of each head: the whole window."""
        return [self.field] * self.num_heads

    def fields_for(self, size: Size) -> Field:
        """Return the window of each query, with null tokens where it leaves the input."""
        return with_null_tokens(self.window, size, PADDED)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, size: Size | None = None) -> Tensor:
        """q, k, v as returned by `qkv` -> (B, H, N_query, C)."""
        # With a border of copies, two columns lead to one token, which no dense mask can express.
        backend = "auto" if self.window.padding_mode == "zeros" else "gather"
        return attend(q, k, v, self.fields_for(size or self.input_size), self.scores(), backend=backend)

    def scores(self) -> Tensor:
        """Return (H, K), the logarithm of each head's weights up to a constant."""
        return self.positions

    def kernel(self) -> Tensor:
        """Return the kernel that the heads make, in the layout of torch's module."""
        kernel = torch.einsum("hk,hoi->oik", self.positions.softmax(-1), self.values)
        return kernel.reshape(*kernel.shape[:2], *self.window.kernel_size)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, *input_size) -> q and k of zeros, v (B, H, N + K, C): the tokens and the null tokens."""
        field = self.fields_for(tuple(x.shape[2:]))
        tokens = tokens_of(x)
        tokens = null_tokens(tokens, field.keys.size - tokens.shape[1]).unsqueeze(1)
        tokens = tokens.expand(-1, self.num_heads, -1, -1)
        return (
            constant_queries_keys(tokens, field.queries.size),
            constant_queries_keys(tokens, field.keys.size),
            tokens,
        )

    def merge_heads(self, heads: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, H, N_query, C) -> (B, N_query, O): the value maps, block-diagonal over the groups."""
        maps = self.values.movedim(0, -1)
        out = merge_heads(heads, maps, self.groups, transposed=self.window.transposed)
        return out if self.bias is None else out + self.bias
