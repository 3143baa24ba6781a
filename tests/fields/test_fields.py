"""Fields as algebra, and against the gradient of the convolution that each stands for."""

import copy

import pytest
import torch
from torch import nn

from vision.fields import (
    Field,
    convolution,
    full,
    kernel_positions,
    neighbourhood,
    truncated,
)
from vision.patches import Grid

CONVOLUTIONS = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 2},
    {"kernel_size": (1, 4), "padding": (0, 2)},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": (5, 3), "stride": (2, 3), "padding": (2, 0)},
    {"kernel_size": 3, "dilation": 2, "padding": 2},
    {"kernel_size": (2, 3), "dilation": (3, 1), "stride": (1, 2), "padding": (1, 2)},
    {"kernel_size": 1, "padding": 2},
]


def gradient_support(grid: Grid, **options) -> torch.Tensor:
    """bool (N_query, N_key): where the output of an nn.Conv2d of ones depends on its input."""
    conv = nn.Conv2d(1, 1, bias=False, **options)
    nn.init.ones_(conv.weight)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: conv(x).flatten(), torch.zeros(1, 1, grid.rows, grid.cols)
    )
    return jacobian.flatten(1) != 0


def receptive_field(*layers: Field) -> torch.Tensor:
    """Return bool (N_query, N_key): which inputs of the first layer reach each output of the last."""
    reached = layers[0].mask()
    for layer in layers[1:]:
        reached = (layer.mask().float() @ reached.float()) > 0
    return reached


def random_field(seed: int, queries: Grid, keys: Grid) -> Field:
    generator = torch.Generator().manual_seed(seed)
    return Field(queries, keys, allowed=torch.rand(queries.size, keys.size, generator=generator) < 0.3)


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_mask_is_the_gradient_support_of_the_convolution(options):
    grid = Grid(7, 6)
    field = convolution(grid, **options)
    assert torch.equal(field.mask(), gradient_support(grid, **options))


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_mask_neighbours_slots_and_reachable_say_the_same(options):
    field = convolution(Grid(7, 6), **options)
    rebuilt = torch.zeros_like(field.mask())
    index, valid = field.neighbours()
    for query in range(field.queries.size):
        rebuilt[query, index[query, valid[query]]] = True
    assert torch.equal(rebuilt, field.mask())
    query, key = field.mask().nonzero().unbind(1)
    assert torch.equal(index[query, field.slots()[query, key]], key)
    assert ((field.slots() < len(field.offsets)) == field.mask()).all()
    rows = field.mask().any(1)
    assert (field.reachable() is None and rows.all()) or torch.equal(field.reachable(), rows)


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_of_a_mask_are_its_true_entries(seed):
    field = random_field(seed, Grid(2, 4), Grid(3, 2))
    index, valid = field.neighbours()
    for query in range(8):
        assert index[query, valid[query]].tolist() == field.mask()[query].nonzero().flatten().tolist()
    assert not index[~valid].any()


def test_and_or_are_those_of_the_masks_and_stay_by_offsets_where_they_can():
    grid = Grid(5, 6)
    fields = [
        neighbourhood(grid, 3),
        neighbourhood(grid, 3, dilation=2),
        full(grid),
        random_field(0, grid, grid),
    ]
    for one in fields:
        for other in fields:
            assert torch.equal((one & other).mask(), one.mask() & other.mask())
            assert torch.equal((one | other).mask(), one.mask() | other.mask())
    assert (fields[0] | fields[1]).offsets is not None
    assert (fields[0] & fields[1]).offsets == ((0, 0),)
    assert (fields[0] & fields[2]) is fields[0]


def test_two_3x3_compose_to_one_5x5_and_dilation_to_a_wider_one():
    grid = Grid(9, 8)
    three, five = neighbourhood(grid, 3), neighbourhood(grid, 5)
    assert torch.equal(receptive_field(three, three), five.mask())
    dilated = receptive_field(three, neighbourhood(grid, 3, dilation=3))
    # Only where no layer's field is clipped: at the border the places on the way are missing.
    assert torch.equal(dilated[4 * 8 + 4], neighbourhood(grid, 9).mask()[4 * 8 + 4])


def test_strided_layers_compose_to_the_receptive_field_of_the_network():
    grid = Grid(8, 8)
    first = neighbourhood(grid, 3, stride=2)
    second = neighbourhood(first.queries, 3, stride=2)
    net = nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1, bias=False), nn.Conv2d(1, 1, 3, 2, 1, bias=False))
    for conv in net:
        nn.init.ones_(conv.weight)
    jacobian = torch.autograd.functional.jacobian(lambda x: net(x).flatten(), torch.zeros(1, 1, 8, 8))
    assert torch.equal(receptive_field(first, second), jacobian.flatten(1) != 0)


def test_a_window_as_wide_as_the_grid_is_full():
    grid = Grid(4, 3)
    assert torch.equal(neighbourhood(grid, 7).mask(), full(grid).mask())
    assert not torch.equal(neighbourhood(grid, 5).mask(), full(grid).mask())
    assert torch.equal(receptive_field(*[neighbourhood(grid, 3)] * 3), full(grid).mask())


def test_truncated_is_a_band():
    place = torch.arange(10)
    away = (place[None] - place[:, None]).abs()
    assert torch.equal(truncated(10, 5).mask(), away <= 2)
    assert torch.equal(truncated(10, 3, dilation=3).mask(), (away == 0) | (away == 3))


def test_kernel_positions_are_disjoint_and_make_the_field():
    field = convolution(Grid(5, 5), (2, 3), stride=2, padding=1)
    heads = kernel_positions(field)
    assert len(heads) == 6
    total = torch.stack([head.mask() for head in heads]).sum(0)
    assert torch.equal(total, field.mask().long())
    assert all(head.mask().sum(1).max() <= 1 for head in heads)


def test_equal_fields_share_their_mask_and_masks_do_not_leak_from_inference_mode():
    one, other = neighbourhood(Grid(6, 7), 5), neighbourhood(Grid(6, 7), 5)
    assert one == other and hash(one) == hash(other) and copy.deepcopy(one) == one
    with torch.inference_mode():
        kept = one.mask()
    assert kept is other.mask() and not kept.is_inference()
    assert random_field(0, Grid(2, 2), Grid(2, 2)) != random_field(0, Grid(2, 2), Grid(2, 2))


def test_a_mask_made_under_a_fake_mode_is_not_kept():
    from torch._subclasses import FakeTensorMode

    field = neighbourhood(Grid(3, 11), 3)
    with FakeTensorMode():
        field.mask()
    assert type(field.mask()) is torch.Tensor


def test_errors_say_what_would_be_right():
    grid = Grid(4, 4)
    with pytest.raises(ValueError, match="odd and positive"):
        neighbourhood(grid, 2)
    with pytest.raises(ValueError, match="smaller kernel or more padding"):
        convolution(grid, 7)
    with pytest.raises(ValueError, match="stride and dilation must be at least 1"):
        convolution(grid, 3, stride=0)
    with pytest.raises(ValueError, match=r"\(16, 16\) \(N_query, N_key\)"):
        Field(grid, grid, allowed=torch.ones(16, 16))
    with pytest.raises(ValueError, match="must not repeat"):
        Field(grid, grid, offsets=((0, 0), (0, 0)))
    with pytest.raises(ValueError, match="by offsets, by indices or by a mask"):
        Field(grid, grid, offsets=((0, 0),), allowed=torch.ones(16, 16, dtype=torch.bool))
    with pytest.raises(ValueError, match="same grids only"):
        full(grid) & full(Grid(2, 2))
    with pytest.raises(ValueError, match="has columns"):
        full(grid).slots()
    with pytest.raises(ValueError, match="splits into kernel positions"):
        kernel_positions(full(grid))
    with pytest.raises(ValueError, match="odd and positive"):
        truncated(8, 4)
