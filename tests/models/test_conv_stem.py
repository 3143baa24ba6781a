"""The convolutional stem: its layers, its grid, and the ViT that stands on it."""

import pytest
import torch
from small_models import build
from torch.nn import functional as F

from vision.models import complete_arguments, cost
from vision.models.conv_stem import ConvStem
from vision.patches import Grid


@pytest.mark.parametrize(("size", "patch_size", "depth"), [(8, 2, 1), ((8, 12), 4, 2), (16, 8, 3)])
def test_it_is_convolution_relu_and_max_pool(size, patch_size, depth):
    stem = ConvStem(size, patch_size, in_chans=3, embed_dim=10)
    height, width = (size, size) if isinstance(size, int) else size
    x = images = torch.randn(2, 3, height, width)
    assert len(stem.layers) == depth and stem.grid == Grid(height // patch_size, width // patch_size)
    for weight in stem.parameters():
        x = F.max_pool2d(F.conv2d(x, weight, padding=1).relu(), 3, stride=2, padding=1)
    torch.testing.assert_close(stem(images), x.flatten(2).transpose(1, 2))
    assert [w.shape[0] for w in stem.parameters()] == [5] * (depth - 1) + [10]


# Two pairs of a convolution and a pool of 3 rows: 1 + 2 + 2 + 2 * (2 + 2) rows of pixels.
@pytest.mark.parametrize(("stem", "rows"), [("patches", 4), ("convolutions", 13)])
def test_its_tokens_overlap_and_those_of_patches_do_not(stem, rows):
    model = build("field_vit", stem=stem)
    seen = torch.zeros(32, dtype=torch.bool)
    for _ in range(20):  # a max pool passes gradients to one pixel only
        images = torch.randn(1, 3, 32, 32, requires_grad=True)
        model.patch_embed(images)[0, 4 * 8 + 4].sum().backward()
        assert images.grad is not None
        seen |= (images.grad[0] != 0).sum((0, 2)) > 0
    reached = seen.nonzero().flatten()
    assert len(reached) == rows and int(reached[-1] - reached[0]) == rows - 1


def test_the_vit_on_it_counts_as_by_hand():
    model = build("field_vit_conv_stem", embed_dim=64, depth=1)
    block = 64 * (4 * 64**2 + 8 * 64**2) + 2 * 64**2 * 64
    stem = 32 * 32 * 9 * 3 * 32 + 16 * 16 * 9 * 32 * 64
    assert cost(model, (3, 32, 32)).macs == stem + block + 64 * 10


def test_params_counts_the_stem():
    arguments = complete_arguments(
        "field_vit_conv_stem", img_size=32, in_chans=3, num_classes=10, params=700_000
    )
    count = sum(p.numel() for p in build("field_vit_conv_stem", **arguments).parameters())
    assert count == pytest.approx(700_000, rel=0.02)


def test_patches_that_pools_cannot_make_and_unknown_stems_are_refused():
    with pytest.raises(ValueError, match=r"patch_size must be a power of two, at least 2,.*got patch_size=6"):
        build("field_vit_conv_stem", img_size=24, patch_size=6)
    with pytest.raises(ValueError, match="patch_size must divide the image's height and width"):
        build("field_vit_conv_stem", img_size=30, patch_size=4)
    with pytest.raises(ValueError, match="stem must be one of patches, convolutions; got 'conv'"):
        build("field_vit", stem="conv")
