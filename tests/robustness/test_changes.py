"""Shifts, hidden areas and shuffled patches, and the levels at which each evaluation makes them."""

import pytest
import torch

from vision.patches import Grid, patchify
from vision.robustness import changes, hide_patches, shift_cyclically
from vision.robustness.draws import Draws


def test_a_shift_is_torchs_roll_of_each_image():
    images = torch.rand(3, 2, 5, 7)
    moves = torch.tensor([[0, 2], [-1, 0], [4, -3]])
    expected = [image.roll(tuple(move.tolist()), (1, 2)) for image, move in zip(images, moves, strict=True)]
    assert torch.equal(shift_cyclically(images, moves), torch.stack(expected))


def test_translations_go_in_four_directions_by_their_distance():
    images = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(40, 1, 8, 8)
    levels = changes("translations", (1, 8, 8))
    assert [change.level for change in levels] == [1, 2, 4]
    moved = levels[1].apply(images, range(40))
    rolled = [images[0].roll(by, (1, 2)) for by in ((0, 2), (0, -2), (2, 0), (-2, 0))]
    found = [[torch.equal(image, one) for one in rolled] for image in moved]
    assert all(sum(row) == 1 for row in found) and torch.tensor(found).any(0).all()


def test_hidden_areas_are_nested_and_have_the_colour_and_the_share():
    images = torch.full((3, 3, 32, 32), 200, dtype=torch.uint8)
    orders = Draws(range(3), "test").orders(64)
    colour = torch.tensor([10.0, 20.0, 30.0])
    less, more = (hide_patches(images, share, colour, orders) for share in (0.25, 0.5))
    assert ((less == 10).double().mean((2, 3))[:, 0] == 0.25).all()
    assert ((more == 10).double().mean((2, 3))[:, 0] == 0.5).all()
    assert bool(((less[:, 0] != 10) | (more[:, 0] == 10)).all())
    hidden = more[:, 0] == 10
    assert set(more[:, 2][hidden].tolist()) == {30} and set(more[:, 2][~hidden].tolist()) == {200}
    whole_areas = patchify(hidden[:, None].float(), 4).mean(2)
    assert set(whole_areas.unique().tolist()) == {0.0, 1.0}


def test_areas_cover_images_of_any_size():
    images = torch.zeros(1, 1, 13, 9, dtype=torch.uint8)
    hidden = hide_patches(images, 1.0, torch.tensor([7.0]), Draws([0], "test").orders(64))
    assert bool((hidden == 7).all())


@pytest.mark.parametrize(
    ("side", "sides"),
    [(32, [16, 8, 4, 2]), (8, [4, 2, 1]), (28, [14, 7, 4, 2]), (224, [112, 56, 32, 28, 16, 14])],
)
def test_patches_that_divide_the_images_are_shuffled(side, sides):
    assert [change.level for change in changes("shuffled_patches", (3, side, side))] == sides


def test_shuffled_patches_keep_their_pixels():
    images = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    shuffled = changes("shuffled_patches", (3, 8, 8))[1].apply(images, [4, 5])
    one, other = (patchify(part.float(), 2) for part in (images, shuffled))
    assert Grid(4, 4).size == one.shape[1] and not torch.equal(one, other)
    for before, after in zip(one, other, strict=True):
        assert sorted(map(tuple, before.tolist())) == sorted(map(tuple, after.tolist()))


def test_errors_name_the_value():
    with pytest.raises(ValueError, match="equal squares cover, got 7 x 9"):
        changes("shuffled_patches", (1, 7, 9))
    with pytest.raises(ValueError, match=r"one of corruptions, shuffled_patches.* got 'rotation'"):
        changes("rotation", (1, 8, 8))
