"""A field on an attention layer of your own: `attend` in place of scaled_dot_product_attention.

$ python examples/field_in_own_attention.py
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import torch
from torch import Tensor, nn

import vision
from vision import Field, Grid, convolution


class Attention(nn.Module):
    """(B, N, C) -> (B, N, C): multi-query attention, with one key and value for all heads."""

    def __init__(self, dim: int, num_heads: int, field: Field) -> None:
        super().__init__()
        self.num_heads, self.head_dim, self.field = num_heads, dim // num_heads, field
        self.q, self.kv = nn.Linear(dim, dim), nn.Linear(dim, 2 * self.head_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Attend inside the field."""
        q = self.q(x).unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)  # (B, H, N, D)
        k, v = (part.unsqueeze(1).expand_as(q) for part in self.kv(x).chunk(2, dim=-1))
        return vision.attend(q, k, v, self.field).transpose(1, 2).flatten(2)


grid = Grid(6, 6)
row, column = convolution(grid, (1, 5), padding=(0, 2)), convolution(grid, (5, 1), padding=(2, 0))
layer = Attention(32, 4, row | column)
x = torch.randn(1, grid.size, 32, requires_grad=True)
layer(x)[0, 14].sum().backward()
assert x.grad is not None
seen = (x.grad[0].abs().sum(dim=-1) > 0).unflatten(0, (6, 6))
print("the token in row 2, column 2 sees:")
print("\n".join(" ".join("#" if one else "." for one in row) for row in seen.tolist()))
