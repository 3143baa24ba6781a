"""How convolutional heads are, on attention whose shares are known."""

import math

import numpy as np
import pytest
import timm
import torch
from small_models import build, converted, timm_vit, torchvision_vit
from torch import nn

import vision
from vision.attention.relative_kernel import expand, nearest_kernel, relative_offsets
from vision.inspection import kernel_shares
from vision.inspection.kernel_moments import HeadKernels, effective_width
from vision.patches import Grid, patchify, shuffle_patches
from vision.soften import soft_convolution

SHARES = ["kernel", "position", "content"]


def assert_a_kernel(table, tolerance=1e-9):
    assert (table["kernel"] - 1).abs().max() < tolerance
    assert (table[["kernel_low", "kernel_high"]] - 1).abs().max().max() < tolerance
    assert table[["position", "content"]].abs().max().max() < tolerance


class Prescribed(nn.Module):
    """Attention with a mean map, and noise that the image contains: weights = mean + scale * image."""

    def __init__(self, mean, scale):
        super().__init__()
        self.mean, self.scale = mean, scale

    def forward(self, x):
        return x

    def attention_map(self, x):
        noise = x - x.mean(-1, keepdim=True)
        return self.mean + self.scale * noise.unsqueeze(1).double()


class OfPatches(nn.Module):
    """Patches of one pixel, as tokens for attention."""

    def __init__(self, grid, attention):
        super().__init__()
        self.grid, self.attn = grid, attention

    def forward(self, images):
        return self.attn(patchify(images, 1)).mean(1)


def orthogonal_part(mean, offsets, count, generator):
    """A map of rows that sum to 0 to which no kernel near that of `mean` can come nearer."""
    kernel = nearest_kernel(mean, offsets, count).log().requires_grad_()
    jacobian = torch.autograd.functional.jacobian(lambda u: u[0][offsets].softmax(-1), kernel)
    directions = jacobian.flatten(0, 1).flatten(1)  # (N * N, D)
    n = len(offsets)
    constant = torch.eye(n, dtype=torch.float64).repeat_interleave(n, 0)  # the sums of rows
    basis = torch.cat((directions, constant), 1)
    drawn = torch.randn(n * n, dtype=torch.float64, generator=generator)
    fitted = torch.linalg.lstsq(basis, drawn[:, None], driver="gelsd").solution
    return (drawn - (basis @ fitted)[:, 0]).view(1, n, n)


@pytest.mark.parametrize(("position", "content"), [(0.2, 0.3), (0.5, 0.1), (0.05, 0.85)])
def test_a_mixture_with_known_shares_is_recovered_within_its_interval(position, content):
    grid, generator = Grid(4, 4), torch.Generator().manual_seed(3)
    offsets, count = relative_offsets(grid)
    table = torch.randn(1, count, dtype=torch.float64, generator=generator)
    static = table[:, offsets].softmax(-1)
    total = (static - 1 / 16).square().mean() / (1 - position - content)
    extra = orthogonal_part(static, offsets, count, generator)
    extra *= (position * total / extra.square().mean()).sqrt()
    # Normal noise minus its mean over 16 keys has the variance 15/16.
    scale = float((content * total / (15 / 16)).sqrt())
    model = OfPatches(grid, Prescribed(static + extra, scale))
    images = torch.randn(200, 16, 4, 4, generator=generator)
    (row,) = kernel_shares(model, images, batch_size=64).table.to_dict("records")
    known = {"kernel": 1 - position - content, "position": position, "content": content}
    for share, value in known.items():
        assert row[f"{share}_low"] < value < row[f"{share}_high"], share
        assert row[share] == pytest.approx(value, abs=0.03)
        assert row[f"{share}_high"] - row[f"{share}_low"] < 0.1
    assert sum(row[share] for share in SHARES) == pytest.approx(1, abs=1e-12)


@pytest.mark.slow
def test_the_interval_covers_as_often_as_it_says():
    grid, generator = Grid(3, 3), torch.Generator().manual_seed(0)
    offsets, count = relative_offsets(grid)
    static = torch.randn(1, count, dtype=torch.float64, generator=generator)[:, offsets].softmax(-1)
    variance = (static - 1 / 9).square().mean()
    model = OfPatches(grid, Prescribed(static, float((variance / (8 / 9)).sqrt())))  # half is content
    covered = 0
    for _ in range(60):
        images = torch.randn(40, 9, 3, 3, generator=generator)
        (row,) = kernel_shares(model, images, batch_size=40, resamples=300).table.to_dict("records")
        covered += row["kernel_low"] < 0.5 < row["kernel_high"]
    assert covered >= 51  # of 60; 95% less two and a half standard deviations, and little bias


def test_minibatches_give_the_same_numbers():
    model, images = timm_vit().eval(), torch.randn(10, 3, 32, 32)
    one, other = (kernel_shares(model, images, batch_size=size).table for size in (3, 10))
    np.testing.assert_allclose(one[SHARES], other[SHARES], atol=1e-5)


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "circular"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_converted_cnn_is_a_kernel(padding_mode, stride):
    conv = nn.Conv2d(3, 4, 3, stride, 1, padding_mode=padding_mode)
    model = converted(conv, nn.ReLU(), nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.AvgPool2d(3, 1, 1))
    found = kernel_shares(model, torch.randn(3, 3, 8, 8))
    assert_a_kernel(found.table)
    convolutions = found.table[found.table["layer"] != "3"]
    assert convolutions["width"].eq(0).all()
    first = convolutions[convolutions["layer"] == "0"]
    centres = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)]
    np.testing.assert_allclose(first[["row", "col"]], centres, atol=1e-9)


def test_the_heads_of_fewest_and_soft_convolutions_are_kernels():
    few = build("field_cnn", img_size=16, depth=1).eval()
    fewest = vision.as_attention(few, 16, heads="min")
    assert_a_kernel(kernel_shares(fewest, torch.randn(2, 3, 16, 16)).table)
    soft = nn.Sequential(soft_convolution(nn.Conv2d(3, 4, 3, padding=1), alpha=2.0))
    table = kernel_shares(soft, torch.randn(2, 3, 6, 6)).table
    assert_a_kernel(table, 1e-7)


def test_a_maximum_pool_has_the_share_of_its_window():
    found = kernel_shares(converted(nn.MaxPool2d(2)), torch.randn(400, 3, 8, 8), resamples=20).table
    # One of 64 keys has weight 1: the variance is 1 - 1/64. The kernel has 1/4 on four: 1/4 - 1/64.
    assert found["kernel"].tolist() == pytest.approx([15 / 63] * 3, abs=0.01)
    assert found["position"].tolist() == pytest.approx([0] * 3, abs=0.01)
    assert found["content"].tolist() == pytest.approx([48 / 63] * 3, abs=0.01)


@pytest.mark.parametrize("kernel_size", [3, 5, None])
def test_static_attention_is_a_kernel(kernel_size):
    options = {"kernel_size": kernel_size, "num_heads": 4}
    model = build("field_static", img_size=24, patch_size=4, depth=1, mixer_options=options).double()
    nn.init.normal_(model.blocks[0].mixer.relative_bias.table)
    assert_a_kernel(kernel_shares(model, torch.randn(3, 3, 24, 24).double()).table, 1e-9)


def test_equal_weights_count_as_a_kernel():
    model = build("field_static", img_size=16, patch_size=4, depth=1)
    nn.init.zeros_(model.blocks[0].mixer.relative_bias.table)
    assert_a_kernel(kernel_shares(model, torch.randn(3, 3, 16, 16)).table)


def test_attention_from_content_alone_has_no_kernel():
    model = build("field_vit", img_size=32, patch_size=8, depth=1, pos_embed="none")
    with torch.no_grad():
        model.blocks[0].mixer.qkv.weight *= 20
    images = shuffle_patches(torch.randn(256, 3, 32, 32), 8, generator=torch.Generator().manual_seed(0))
    table = kernel_shares(model, images).table
    assert table["kernel"].abs().max() < 0.02 and table["position"].abs().max() < 0.02
    assert (table["content"] - 1).abs().max() < 0.03


def test_absolute_positions_are_told_from_a_kernel():
    grid, weights = Grid(4, 4), torch.full((1, 16, 16), 0.02, dtype=torch.float64)
    weights[0, torch.arange(16), torch.randperm(16, generator=torch.Generator().manual_seed(0))] = 0.7
    model = OfPatches(grid, Prescribed(weights, 0.0))
    (row,) = kernel_shares(model, torch.randn(2, 16, 4, 4)).table.to_dict("records")
    assert row["position"] > 0.5 and row["content"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("alpha", [0.15, 0.4, 1.0])
def test_quadratic_positions_give_the_width_that_their_alpha_implies(alpha):
    options = {"num_heads": 4, "alpha": alpha, "spread": 0.5}
    model = build("field_quadratic", img_size=64, patch_size=4, depth=1, mixer_options=options).double()
    table = kernel_shares(model, torch.randn(2, 3, 64, 64).double()).table
    assert_a_kernel(table, 1e-7)
    # P(|x| > r) = exp(-alpha r^2) of a Gaussian of variance 1 / (2 alpha) on each axis.
    assert table["width"].tolist() == pytest.approx([math.sqrt(math.log(10) / alpha)] * 4, abs=0.6)
    centres = model.blocks[0].mixer.centres.detach().numpy()
    np.testing.assert_allclose(table[["row", "col"]], centres, atol=0.02)


def test_the_width_of_a_kernel_by_hand():
    weights = np.zeros((2, 3, 3))
    weights[0, 1, 1], weights[0, 1, 2], weights[0, 1, 0] = 0.6, 0.2, 0.2  # 90% needs the neighbours
    weights[1, 0, 2] = 1  # one key, up and to the right
    steps = np.arange(-1, 2)
    assert effective_width(HeadKernels(weights, steps, steps)) == [(0.0, 0.0, 1.0), (-1.0, 1.0, 0.0)]


def test_prefix_tokens_are_left_out_and_torchvisions_vit_is_read():
    with_class_token = kernel_shares(timm_vit(reg_tokens=2), torch.randn(3, 3, 32, 32))
    assert with_class_token.kernels["blocks.0.attn"].weights.shape == (3, 7, 7)
    table = kernel_shares(torchvision_vit(), torch.randn(3, 3, 32, 32)).table
    assert len(table) == 4 and (table[SHARES].sum(axis=1) - 1).abs().max() < 1e-9


def test_shifted_windows_of_swin_without_content_are_a_kernel():
    sizes = {"img_size": 64, "window_size": 4, "embed_dim": 12, "depths": (2,), "num_heads": (3,)}
    model = timm.create_model("swin_tiny_patch4_window7_224", **sizes, num_classes=2).double()
    for block in (model.layers[0].blocks[0].attn, model.layers[0].blocks[1].attn):  # type: ignore
        nn.init.normal_(block.relative_position_bias_table)
        with torch.no_grad():
            block.qkv.weight[:24] = 0
            block.qkv.bias[:24] = 0
    images = torch.randn(2, 3, 64, 64).double()
    found = kernel_shares(model, images)
    assert list(found.kernels) == ["layers.0.blocks.0.attn", "layers.0.blocks.1.attn"]
    assert_a_kernel(found.table)
    assert found.kernels["layers.0.blocks.1.attn"].weights.shape == (3, 7, 7)
    with torch.no_grad():
        model.layers[0].blocks[1].attn.qkv.weight[:24].normal_(std=2)  # type: ignore
    shifted = kernel_shares(model, images).table.query("layer == 'layers.0.blocks.1.attn'")
    assert shifted["content"].min() > 0.01


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("nest_tiny", {"img_size": 64}),  # its heads and windows are folded together
        ("hiera_tiny_224", {"embed_dim": 32, "num_heads": 1}),  # its tokens have another order
        ("mobilevit_xxs", {}),  # its parts are every second token
    ],
)
def test_parts_of_an_image_that_state_no_window_are_not_guessed(name, options):
    size = 224 if "hiera" in name else 64
    with pytest.raises(ValueError, match="parts per image are folded into its batch, which are not the wind"):
        kernel_shares(build(name, **options), torch.randn(2, 3, size, size))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("maxvit_rmlp_pico_rw_256", "stages.0.blocks.0.attn_grid.attn"),  # tokens far apart, as in a window
        ("twins_svt_small", "blocks.0.0.attn"),
    ],
)
def test_layers_that_state_no_window_are_left_out_beside_others(name, layer):
    found = kernel_shares(build(name, img_size=64).eval(), torch.randn(2, 3, 64, 64), resamples=1)
    assert "parts per image" in found.skipped[layer] and layer not in found.kernels
    assert len(found.table)


def test_attention_that_shows_no_weights_is_named():
    sizes = {"img_size": 64, "window_size": 4, "embed_dim": 12, "depths": (1,), "num_heads": (3,)}
    with pytest.raises(ValueError, match=r"none \(layers.0.blocks.0.attn: it computes attention in its own"):
        kernel_shares(build("swinv2_tiny_window8_256", **sizes), torch.randn(2, 3, 64, 64))


def test_tiles_of_ours_count_as_field():
    options = {"num_heads": 2, "window": 3, "shift": 1, "relative_bias": True}
    model = build("field_window", img_size=24, patch_size=4, depth=1, mixer_options=options).double()
    mixer = model.blocks[0].mixer
    nn.init.normal_(mixer.relative_bias.table)
    with torch.no_grad():
        mixer.qkv.weight.zero_()
        mixer.qkv.bias.zero_()
    assert_a_kernel(kernel_shares(model, torch.randn(2, 3, 24, 24).double()).table)


def test_a_kernel_expands_to_the_mean_map():
    model = build("field_static", img_size=16, patch_size=4, depth=1)
    kernels = kernel_shares(model, torch.randn(2, 3, 16, 16)).kernels["blocks.0.mixer"]
    offsets, _ = relative_offsets(Grid(4, 4))
    weights = torch.tensor(kernels.weights).flatten(1)
    mixer = model.blocks[0].mixer
    torch.testing.assert_close(
        expand(weights, offsets).float(), mixer.attention_map(torch.randn(1, 16, 64))[0].detach()
    )


@pytest.mark.parametrize(
    ("model", "images", "message"),
    [
        ("field_vit", torch.zeros(1, 3, 32, 32), "at least 2, as content is what differs between images"),
        ("field_vit", torch.zeros(0, 3, 32, 32), "got \\(0, 3, 32, 32\\)"),
        ("field_vit", torch.zeros(2, 3, 16, 16), "Backbone does not run on images \\(3, 16, 16\\)"),
        ("field_cnn", torch.zeros(2, 3, 32, 32), "convert a CNN with vision.as_attention first"),
        ("field_recurrent", torch.zeros(2, 3, 32, 32), "a recurrence has no weights"),
    ],
)
def test_bad_input_is_one_sentence(model, images, message):
    with pytest.raises(ValueError, match=message) as raised:
        kernel_shares(build(model), images)
    assert "\n" not in str(raised.value)


def test_weights_that_are_not_finite_and_numbers_below_1_are_refused():
    model, images = build("field_vit", depth=1), torch.zeros(2, 3, 32, 32)
    with pytest.raises(ValueError, match="must be at least 1, got batch_size=0, resamples=1000"):
        kernel_shares(model, images, batch_size=0)
    with pytest.raises(ValueError, match="must be at least 1, got batch_size=16, resamples=0"):
        kernel_shares(model, images, resamples=0)
    with torch.no_grad():
        model.blocks[0].mixer.qkv.bias[0] = torch.nan
    with pytest.raises(
        ValueError, match=r"the attention of blocks\.0\.mixer has weights that are not finite"
    ):
        kernel_shares(model, images)
