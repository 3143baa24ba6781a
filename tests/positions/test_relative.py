"""Relative biases: one number per head and difference, in each form."""

import torch

from vision.fields import Field, full, neighbourhood
from vision.patches import Grid
from vision.positions import (
    RelativeBias,
)


def test_dense_relative_bias_is_translation_invariant():
    grid = Grid(4, 5)
    bias = RelativeBias(full(grid), num_heads=2)
    assert bias.table.shape == (2, 7 * 9)
    dense = bias()[0].view(2, 4, 5, 4, 5)
    assert torch.equal(dense[:, 0, 1, 2, 3], dense[:, 1, 2, 3, 4])
    assert torch.equal(dense[:, 3, 3, 1, 0], dense[:, 2, 4, 0, 1])
    assert dense[0].unique().numel() == 7 * 9


def test_dense_form_is_the_form_per_offset():
    grid = Grid(5, 4)
    field = neighbourhood(grid, 3)
    by_offset, dense = RelativeBias(field, 3), RelativeBias(full(grid), 3)
    with torch.no_grad():
        for slot, (row, col) in enumerate(field.offsets or ()):
            dense.table[:, (row + 4) * 7 + col + 3] = by_offset.table[:, slot]
    spread = torch.nn.functional.pad(by_offset(), (0, 1))[:, field.slots()]
    mask = field.mask()
    assert by_offset().shape == (3, 9)
    assert torch.equal(spread[:, mask], dense()[0][:, mask])


def test_relative_bias_between_two_grids_and_of_a_mask():
    cross = RelativeBias(full(Grid(2, 2), Grid(4, 3)), 2)
    assert cross.table.shape == (2, 5 * 4) and cross().shape == (1, 2, 4, 12)
    masked = Field(Grid(2, 2), Grid(2, 2), allowed=torch.eye(4, dtype=torch.bool))
    assert RelativeBias(masked, 2)().shape == (1, 2, 4, 4)
