"""Positions added to tokens: distinct, the same for every image, and what a checkpoint holds."""

from typing import Any

import pytest
import torch

from vision.mixers import Convolution
from vision.patches import Grid
from vision.positions import (
    POSITIONS,
    create_position,
    sinusoidal,
)


@pytest.mark.parametrize("dim", [4, 6, 8, 63])
def test_sinusoidal_is_distinct_per_position_and_of_equal_length(dim):
    table = sinusoidal(Grid(5, 7), dim)
    distance = torch.cdist(table, table) + torch.eye(35)
    assert table.shape == (35, dim) and distance.min() > 0.05
    torch.testing.assert_close(
        table.norm(dim=1), torch.full((35,), (2 * (dim // 4)) ** 0.5, dtype=torch.float64)
    )


def test_sinusoidal_products_depend_on_the_difference_of_positions_only():
    grid = Grid(6, 6)
    table = sinusoidal(grid, 16)
    products = (table @ table.T).view(6, 6, 6, 6)
    torch.testing.assert_close(products[1, 2, 3, 0], products[2, 4, 4, 2])
    torch.testing.assert_close(products[0, 0, 2, 3], products[3, 2, 5, 5])


def test_each_position_adds_the_same_to_every_image():
    for name in ("none", "learned", "sinusoidal"):
        module = create_position(name, Grid(3, 4), 8)
        added = module(torch.zeros(2, 12, 8))
        assert torch.equal(added[0], added[1])
        x = torch.randn(2, 12, 8)
        torch.testing.assert_close(module(x), x + added)
        assert bool(added.any()) == (name != "none")


def test_a_checkpoint_holds_learned_positions_only():
    assert list(create_position("learned", Grid(2, 2), 8).state_dict()) == ["pos_embed"]
    fixed = create_position("sinusoidal", Grid(2, 2), 8)
    assert not fixed.state_dict() and not list(fixed.parameters())
    assert fixed.to(torch.bfloat16)(torch.zeros(1, 4, 8, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_conditional_position_adds_a_depthwise_convolution():
    grid = Grid(4, 5)
    position: Any = create_position("conditional", grid, 6, dtype=torch.float64)
    convolution = Convolution(6, grid, depthwise=True, dtype=torch.float64)
    convolution.load_state_dict(position.proj.state_dict())
    x = torch.randn(2, 20, 6, dtype=torch.float64)
    torch.testing.assert_close(position(x), x + convolution(x), rtol=0, atol=1e-12)
    same = position(torch.ones(1, 20, 6, dtype=torch.float64)).view(4, 5, 6)
    assert torch.equal(same[1, 1], same[2, 3]) and not torch.equal(same[0, 0], same[0, 4])


def test_errors_list_the_names():
    with pytest.raises(ValueError, match=f"{', '.join(POSITIONS)}; got 'rotary'"):
        create_position("rotary", Grid(2, 2), 8)
    with pytest.raises(ValueError, match="at least 4, got dim=3"):
        create_position("sinusoidal", Grid(2, 2), 3)
