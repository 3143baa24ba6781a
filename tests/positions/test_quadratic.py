"""A quadratic bias is a Gaussian around a centre."""

import pytest
import torch
from torch import nn

from vision.attention import MultiHeadAttention
from vision.fields import full, neighbourhood
from vision.patches import Grid
from vision.positions import (
    QuadraticBias,
    resize,
)


@pytest.mark.parametrize("field", [full(Grid(4, 5)), neighbourhood(Grid(4, 5), 3)], ids=["full", "3x3"])
def test_quadratic_bias_prefers_keys_near_its_centre(field):
    bias = QuadraticBias(field, 3, alpha=0.5, dtype=torch.float64)
    attention = MultiHeadAttention(6, 3, field=field, quadratic_bias=True, dtype=torch.float64)
    attention.quadratic_bias = bias
    nn.init.zeros_(attention.qkv.weight)  # no content: the weights are a Gaussian of the positions alone
    weights = attention.attention_map(torch.randn(1, 20, 6, dtype=torch.float64))[0]
    away = Grid(4, 5).coordinates()[None] - Grid(4, 5).coordinates()[:, None]
    distance = (away[None] - bias.centres[:, None, None]).square().sum(-1)
    logits = (-0.5 * distance).masked_fill(~field.mask(), float("-inf"))
    torch.testing.assert_close(weights, logits.softmax(-1), rtol=0, atol=1e-6)
    resized = resize(bias, Grid(7, 7))
    assert torch.equal(resized.centres, bias.centres)
    assert resized.field == (full(Grid(7, 7)) if field.is_full else neighbourhood(Grid(7, 7), 3))
