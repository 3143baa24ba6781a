"""Fields as algebra: masks, neighbours, slots, and what is cached."""

import copy

import pytest
import torch
from field_cases import BY_INDICES, BY_OFFSETS, CONVOLUTIONS

from vision.fields import Field, convolution, full, kernel_positions, neighbourhood, truncated
from vision.patches import Grid


def random_field(seed: int, queries: Grid, keys: Grid) -> Field:
    generator = torch.Generator().manual_seed(seed)
    return Field(queries, keys, allowed=torch.rand(queries.size, keys.size, generator=generator) < 0.3)


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_mask_neighbours_slots_and_reachable_agree(options):
    field = convolution(Grid(7, 6), **options)
    rebuilt = torch.zeros_like(field.mask())
    index, valid = field.neighbours()
    for query in range(field.queries.size):
        rebuilt[query, index[query, valid[query]]] = True
    assert torch.equal(rebuilt, field.mask())
    query, key = field.mask().nonzero().unbind(1)
    assert torch.equal(index[query, field.slots()[query, key]], key)
    assert field.offsets is not None
    assert ((field.slots() < len(field.offsets)) == field.mask()).all()
    rows, reachable = field.mask().any(1), field.reachable()
    assert rows.all() if reachable is None else torch.equal(reachable, rows)


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


def test_equal_fields_share_a_mask_that_is_not_an_inference_tensor():
    one, other = neighbourhood(Grid(6, 7), 5), neighbourhood(Grid(6, 7), 5)
    assert one == other and hash(one) == hash(other) and copy.deepcopy(one) == one
    with torch.inference_mode():
        kept = one.mask()
    assert kept is other.mask() and not kept.is_inference()
    assert random_field(0, Grid(2, 2), Grid(2, 2)) != random_field(0, Grid(2, 2), Grid(2, 2))


def test_a_mask_made_under_a_fake_mode_is_not_cached():
    from torch._subclasses import FakeTensorMode

    field = neighbourhood(Grid(3, 11), 3)
    with FakeTensorMode():
        field.mask()
    assert type(field.mask()) is torch.Tensor


@pytest.mark.parametrize("name", BY_OFFSETS)
def test_a_field_by_indices_is_the_field_by_offsets(name):
    one, other = BY_INDICES[f"indices, {name}"], BY_OFFSETS[name]
    assert torch.equal(one.mask(), other.mask())
    got, wanted = one.reachable(), other.reachable()
    assert got is wanted is None or (got is not None and wanted is not None and torch.equal(got, wanted))


def test_errors_name_the_values_that_would_fit():
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
        _ = full(grid) & full(Grid(2, 2))
    with pytest.raises(ValueError, match="columns needs a field by offsets or indices"):
        full(grid).slots()
    with pytest.raises(ValueError, match="must be given by offsets"):
        kernel_positions(full(grid))
    with pytest.raises(ValueError, match="odd and positive"):
        truncated(8, 4)
