"""Images to patches and back, and the errors where they do not fit."""

import pytest
import torch
from torch import nn

from vision.patches import Grid, PatchEmbed, patch_grid, patchify, shuffle_patches, unpatchify


@pytest.mark.parametrize(
    ("channels", "height", "width", "patch"), [(3, 8, 8, 2), (1, 6, 9, 3), (4, 5, 7, 1), (2, 4, 4, 4)]
)
def test_unpatchify_inverts_patchify_both_ways(channels, height, width, patch):
    images = torch.randn(2, channels, height, width)
    patches = patchify(images, patch)
    grid = patch_grid((height, width), patch)
    assert patches.shape == (2, grid.size, channels * patch**2)
    assert torch.equal(unpatchify(patches, grid, patch), images)
    assert torch.equal(patchify(unpatchify(patches, grid, patch), patch), patches)


def test_a_patch_is_the_square_at_its_position():
    images = torch.randn(1, 3, 6, 8)
    grid = patch_grid((6, 8), 2)
    row, col = grid.coordinates()[7].tolist()
    square = images[0, :, 2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
    assert torch.equal(patchify(images, 2)[0, 7], square.flatten())


def test_patch_embed_is_the_strided_convolution():
    embed = PatchEmbed((8, 12), 4, in_chans=3, embed_dim=5, dtype=torch.float64)
    conv = nn.Conv2d(3, 5, 4, stride=4, dtype=torch.float64)
    conv.load_state_dict({"weight": embed.proj.weight.view(5, 3, 4, 4), "bias": embed.proj.bias})
    images = torch.randn(2, 3, 8, 12, dtype=torch.float64)
    torch.testing.assert_close(embed(images), conv(images).flatten(2).transpose(1, 2), rtol=0, atol=1e-13)


def test_shuffled_patches_are_the_same_patches_in_another_order_for_each_image():
    # Patch n of image b holds the number 100 b + n and the positions of its pixels.
    numbers = torch.arange(3)[:, None] * 100 + torch.arange(6)
    patches = (numbers[..., None] + torch.arange(8) / 10).double()
    images = unpatchify(patches, Grid(2, 3), 2)
    shuffled = patchify(shuffle_patches(images, 2, torch.Generator().manual_seed(0)), 2)
    assert shuffled.shape == patches.shape
    drawn = shuffled[..., 0].long()
    assert torch.equal(drawn.sort(dim=1).values, numbers)
    orders = drawn - 100 * torch.arange(3)[:, None]
    assert len({tuple(order.tolist()) for order in orders}) == 3  # not one order for all
    torch.testing.assert_close(shuffled, patches.gather(1, orders[..., None].expand_as(patches)))
    again = shuffle_patches(images, 2, torch.Generator().manual_seed(0))
    assert torch.equal(patchify(again, 2), shuffled)
    other = shuffle_patches(images, 2, torch.Generator().manual_seed(1))
    assert not torch.equal(patchify(other, 2), shuffled)


def test_coordinates_count_rows_first():
    assert Grid(2, 3).coordinates().tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]


def test_errors_name_the_value_and_those_that_would_fit():
    with pytest.raises(ValueError, match=r"patch_size=5 .* 8 x 12 pixels; 1, 2, 4 would fit"):
        patch_grid((8, 12), 5)
    with pytest.raises(ValueError, match=r"\(B, C, H, W\), got shape \(3, 8, 8\)"):
        patchify(torch.zeros(3, 8, 8), 2)
    with pytest.raises(ValueError, match=r"\(B, 16, C \* 4\)"):
        unpatchify(torch.zeros(1, 15, 12), Grid(4, 4), 2)
    with pytest.raises(ValueError, match=r"\(B, N, P\)"):
        unpatchify(torch.zeros(16, 12), Grid(4, 4), 2)
    with pytest.raises(ValueError, match="at least one row"):
        Grid(0, 3)
