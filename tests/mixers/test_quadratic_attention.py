"""Quadratic attention against its formula, and in its limits."""

import pytest
import torch
from mixer_checks import GRID, as_images, make, offsets, tokens
from torch.nn.functional import pad

from vision.fields import full
from vision.mixers.quadratic_attention import QuadraticAttention
from vision.patches import Grid
from vision.positions import quadratic_scores


@pytest.mark.parametrize("kernel_size", [None, 5])
def test_quadratic_scores_by_hand(kernel_size):
    made = make(QuadraticAttention, kernel_size=kernel_size)
    with torch.no_grad():
        made.alpha.copy_(torch.tensor([0.3, -1.0, 2.0, 0.01]))
    away = offsets(GRID)[None] - made.centres[:, None, None]
    logits = -made.alpha.abs()[:, None, None] * away.square().sum(-1)
    expected = logits.masked_fill(~made.field.mask(), float("-inf")).softmax(-1)
    torch.testing.assert_close(made.attention_map(tokens())[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel_size", [None, 5])
def test_a_sharp_quadratic_head_is_a_shift_with_the_border_repeated(kernel_size):
    made, x = make(QuadraticAttention, kernel_size=kernel_size, alpha=300.0), tokens()
    shifts = [(0, 0), (-1, 2), (2, 1), (0, -2)]
    with torch.no_grad():
        made.centres.copy_(torch.tensor(shifts))
    padded = pad(as_images(made.v(x), GRID), (2, 2, 2, 2), mode="replicate")
    heads = [
        padded[:, 2 * head : 2 * head + 2, 2 + row : 8 + row, 2 + col : 9 + col]
        for head, (row, col) in enumerate(shifts)
    ]
    expected = made.proj(torch.cat(heads, dim=1).flatten(2).transpose(1, 2))
    torch.testing.assert_close(made(x), expected, rtol=0, atol=1e-12)


def test_a_blunt_quadratic_head_is_the_mean_and_large_grids_do_not_overflow():
    made, x = make(QuadraticAttention, alpha=0.0), tokens()
    mean = made.proj(made.v(x).mean(1, keepdim=True)).expand_as(x)
    torch.testing.assert_close(made(x), mean, rtol=0, atol=1e-12)
    field = full(Grid(1, 2000))
    scores = quadratic_scores(field, torch.tensor([8.0]), torch.tensor([[0.0, 1.0]]))
    assert scores.half().isfinite().all()
    assert torch.equal(scores[0, 0].argmax(-1), (torch.arange(2000) + 1).clamp(max=1999))
