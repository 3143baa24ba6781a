"""Gathered keys that differ between images and heads."""

import pytest
import torch
from attention_checks import assert_same, bias_per_offset, qkv
from field_cases import GRID

from vision.attention import attend, gather
from vision.fields import Field, full, neighbourhood


@pytest.mark.parametrize("shape", [(3, 1), (3, 4), (1, 4)], ids=["images", "both", "heads"])
def test_keys_of_each_image_equal_the_images_one_by_one(shape):
    index = torch.randint(-1, 30, (*shape, 30, 5), generator=torch.Generator().manual_seed(2))
    index = index.sort(dim=-1).values
    repeats = index.diff(dim=-1, prepend=torch.full((*shape, 30, 1), -2)) == 0
    index = index.masked_fill(repeats, -1)
    index[0, 0, 7] = -1  # a query without any key
    q, k, v = qkv(full(GRID), heads=4, batch=3)
    bias = bias_per_offset(neighbourhood(GRID, 3), heads=4)[:, :5].detach().requires_grad_()
    got = gather.attention(q, k, v, index.clamp(min=0), index >= 0, bias)
    keys = index.expand(3, 4, -1, -1)
    wanted = torch.stack([
        torch.cat([
            attend(q[b : b + 1, [h]], k[b : b + 1, [h]], v[b : b + 1, [h]],
                   Field(GRID, GRID, indices=keys[b, h]), bias[[h]],
                   backend="reference")[0]
            for h in range(4)
        ])
        for b in range(3)
    ])  # fmt: skip
    direction = torch.randn(got.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    leaves = [q, k, v, bias]
    gradients = [torch.autograd.grad((y * direction).sum(), leaves) for y in (got, wanted)]
    assert_same([got, *gradients[0]], [wanted, *gradients[1]])
