"""Positions: distinct per place, and biases that know only the difference of two places."""

import pytest
import torch

from vision.fields import Field, full, neighbourhood
from vision.patches import Grid
from vision.positions import POSITIONS, RelativeBias, create_position, sinusoidal


@pytest.mark.parametrize("dim", [4, 6, 8, 63])
def test_sinusoidal_is_distinct_per_place_and_of_equal_length(dim):
    table = sinusoidal(Grid(5, 7), dim)
    distance = torch.cdist(table, table) + torch.eye(35)
    assert table.shape == (35, dim) and distance.min() > 0.05
    torch.testing.assert_close(
        table.norm(dim=1), torch.full((35,), (2 * (dim // 4)) ** 0.5, dtype=torch.float64)
    )


def test_sinusoidal_products_depend_on_the_difference_of_places_only():
    grid = Grid(6, 6)
    table = sinusoidal(grid, 16)
    products = (table @ table.T).view(6, 6, 6, 6)
    torch.testing.assert_close(products[1, 2, 3, 0], products[2, 4, 4, 2])
    torch.testing.assert_close(products[0, 0, 2, 3], products[3, 2, 5, 5])


def test_each_position_adds_the_same_to_every_image():
    for name in POSITIONS:
        module = create_position(name, Grid(3, 4), 8)
        added = module(torch.zeros(2, 12, 8))
        assert torch.equal(added[0], added[1])
        x = torch.randn(2, 12, 8)
        torch.testing.assert_close(module(x), x + added)
        assert bool(added.any()) == (name != "none")


def test_what_a_checkpoint_carries_and_what_moves():
    assert list(create_position("learned", Grid(2, 2), 8).state_dict()) == ["pos_embed"]
    fixed = create_position("sinusoidal", Grid(2, 2), 8)
    assert not fixed.state_dict() and not list(fixed.parameters())
    assert fixed.to(torch.bfloat16)(torch.zeros(1, 4, 8, dtype=torch.bfloat16)).dtype == torch.bfloat16


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
        for slot, (row, col) in enumerate(field.offsets):
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


def test_errors_list_the_names():
    with pytest.raises(ValueError, match=r"none, learned, sinusoidal; got 'rotary'"):
        create_position("rotary", Grid(2, 2), 8)
    with pytest.raises(ValueError, match="at least 4, got dim=3"):
        create_position("sinusoidal", Grid(2, 2), 3)
