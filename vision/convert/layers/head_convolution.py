"""Position-only heads: attention whose weights are one kernel per head, so that it is a convolution.

>>> layer = HeadConvolution(64, Grid(8, 8), num_heads=4, head_dim=16, kernel_size=(3, 3))
>>> layer(torch.randn(2, 64, 64)).shape, layer.folded().weight.shape
(torch.Size([2, 64, 64]), torch.Size([64, 64, 3, 3]))
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision.device_dtype import DeviceDtype
from vision.patches import Grid


class HeadConvolution(nn.Module):
    """(B, P + N, C) -> (B, P + N, C_out): y_q = b + sum_h O_h g_h(q) sum_d a_h(d) V_h x_(q + d).

    A linear map to values, a convolution of each head's values with the head's kernel, and a linear map back.
    Without the gain g these are one convolution from C to C_out, `folded`, whose weight at offset d is
    sum_h a_h(d) O_h V_h. At the border the kernel is clipped, and the gain renormalizes what is left.

    P prefix tokens, such as a class token, have no position on the grid. Each head gives a patch one weight
    for each prefix token. It gives a prefix token one weight for every token.

    Args:
        dim: width C of a token.
        grid: grid of the N patches.
        num_heads: number of heads H.
        head_dim: width of a head's values.
        kernel_size: odd rows and columns.
        out_dim: width of the output; None is dim.
        prefix: number P of prefix tokens before the patches.

    Attributes:
        weight: (H, rows, cols), the kernels, which may be negative and need not sum to 1.
        gain: (H, N), fixed.
        to_prefix: (H, P), the weights of the prefix tokens for a patch.
        prefix_weight: (P, H, P + N), the weights of all tokens for each prefix token.
        prefix_bias: (P, C_out), the bias of the prefix tokens.
    """

    gain: Tensor
    to_prefix: Tensor
    prefix_weight: Tensor
    prefix_bias: Tensor

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        num_heads: int,
        head_dim: int,
        kernel_size: tuple[int, int],
        out_dim: int | None = None,
        prefix: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        out_dim = out_dim or dim
        self.grid, self.num_heads, self.head_dim, self.prefix = grid, num_heads, head_dim, prefix
        self.kernel_size = kernel_size
        self.v = nn.Linear(dim, num_heads * head_dim, bias=False, device=device, dtype=dtype)
        self.proj = nn.Linear(num_heads * head_dim, out_dim, device=device, dtype=dtype)
        mean = 1 / (kernel_size[0] * kernel_size[1])
        self.weight = nn.Parameter(torch.full((num_heads, *kernel_size), mean, device=device, dtype=dtype))
        self.register_buffer("gain", torch.ones(num_heads, grid.size, device=device, dtype=dtype))
        tokens = prefix + grid.size
        sizes = {"to_prefix": (num_heads, prefix), "prefix_weight": (prefix, num_heads, tokens)}
        sizes["prefix_bias"] = (prefix, out_dim)
        for name, size in sizes.items():
            values = torch.zeros(size, device=device, dtype=dtype)
            self.register_parameter(name, nn.Parameter(values) if prefix else None)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        """(B, P + N, C) -> (B, P + N, C_out). The masks of timm's attention are refused."""
        if attn_mask is not None or is_causal:
            raise ValueError("position-only heads are fitted without a mask, got attn_mask or is_causal")
        out = F.linear(self.mix(x), self.proj.weight)
        if not self.prefix:
            return out + self.proj.bias
        return torch.cat(
            (out[:, : self.prefix] + self.prefix_bias, out[:, self.prefix :] + self.proj.bias), 1
        )

    def mix(self, x: Tensor) -> Tensor:
        """(B, P + N, C) -> (B, P + N, H * D): what each head gives each token, before the last map."""
        v = self.v(x)
        patches = v[:, self.prefix :].transpose(1, 2)
        patches = torch.unflatten(patches, 2, (self.grid.rows, self.grid.cols))
        # Every channel of a head has the head's kernel: (H * D, 1, rows, cols).
        kernel = self.weight.repeat_interleave(self.head_dim, 0).unsqueeze(1)
        padding = self.kernel_size[0] // 2, self.kernel_size[1] // 2
        mixed = F.conv2d(patches, kernel, padding=padding, groups=kernel.shape[0]).flatten(2)
        mixed = (mixed * self.gain.repeat_interleave(self.head_dim, 0)).transpose(1, 2)
        if not self.prefix:
            return mixed
        by_head = torch.unflatten(v, 2, (self.num_heads, self.head_dim))
        from_prefix = torch.einsum("hp,bphd->bhd", self.to_prefix, by_head[:, : self.prefix])
        prefix = torch.einsum("phn,bnhd->bphd", self.prefix_weight, by_head).flatten(2)
        return torch.cat((prefix, mixed + from_prefix.flatten(1)[:, None]), 1)

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, P + N, C) -> (B, H, P + N, P + N): the weights, the same for every image."""
        rows, cols = self.kernel_size
        position = self.grid.coordinates(x.device)
        step = position[None] - position[:, None] + position.new_tensor((rows // 2, cols // 2))
        inside = (step >= 0).all(-1) & (step < step.new_tensor(self.kernel_size)).all(-1)
        index = (step[..., 0] * cols + step[..., 1]).masked_fill(~inside, 0)
        patches = self.weight.flatten(1)[:, index] * inside * self.gain[..., None]
        if not self.prefix:
            return patches.expand(len(x), -1, -1, -1)
        to_prefix = self.to_prefix[:, None].expand(-1, self.grid.size, -1)
        whole = torch.cat((self.prefix_weight.transpose(0, 1), torch.cat((to_prefix, patches), 2)), 1)
        return whole.expand(len(x), -1, -1, -1)

    def folded(self) -> nn.Conv2d:
        """Return the convolution with the linear maps folded in; it is equal where the gain is 1."""
        values = torch.unflatten(self.v.weight, 0, (self.num_heads, -1))
        outputs = torch.unflatten(self.proj.weight, 1, (self.num_heads, -1))
        kernel = torch.einsum("ohd,hrs,hdc->ocrs", outputs, self.weight, values)
        padding = self.kernel_size[0] // 2, self.kernel_size[1] // 2
        like: DeviceDtype = {"device": kernel.device, "dtype": kernel.dtype}
        conv = nn.Conv2d(kernel.shape[1], len(kernel), self.kernel_size, padding=padding, **like)
        conv.weight, conv.bias = nn.Parameter(kernel.detach()), nn.Parameter(self.proj.bias.detach().clone())
        return conv

    def extra_repr(self) -> str:
        """Return what nn.Module prints of this module in addition to its submodules."""
        return f"num_heads={self.num_heads}, kernel_size={self.kernel_size}, prefix={self.prefix}"
