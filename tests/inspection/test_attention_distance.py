"""Attention distances, against distances worked out by hand."""

from itertools import product
from math import dist, sqrt
from typing import Any

import pytest
import torch
from small_models import build, converted, timm_vit, torchvision_vit
from torch import nn
from torch.nn import functional as F

import vision
from vision.inspection.attention_distance import attention_distance, equal_distance
from vision.inspection.attention_maps import attention_maps
from vision.patches import Grid
from vision.soften import soft_convolution

ROOT = sqrt(2)


def distances(model, images):
    return attention_distance(model, images)["distance"].tolist()


def mean_distance_by_hand(rows, cols, pitch):
    """Of attention that is equal on all tokens."""
    places = [((r + 0.5) * pitch[0], (c + 0.5) * pitch[1]) for r, c in product(range(rows), range(cols))]
    return sum(dist(q, k) for q in places for k in places) / len(places) ** 2


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("patch", [1, 4])
def test_heads_of_a_3x3_convolution_are_at_0_p_and_root_2_p(stride, patch):
    model = converted(nn.Conv2d(3, 4, patch, patch), nn.Conv2d(4, 4, 3, stride, 1), size=8 * patch)
    table = attention_distance(model, torch.randn(2, 3, 8 * patch, 8 * patch))
    heads = table[table["depth"] == 2]
    expected = [ROOT, 1, ROOT, 1, 0, 1, ROOT, 1, ROOT]
    assert heads["distance"].tolist() == pytest.approx([patch * one for one in expected], abs=1e-12)
    assert heads["head"].tolist() == list(range(9)) and set(heads["heads"]) == {9}
    assert set(heads["queries"]) == {64 // stride**2} and set(heads["keys"]) == {64}
    assert set(heads["kind"]) == {"convolution as attention"} and set(heads["layer"]) == {"1"}


def test_dilated_even_and_circular_windows_have_their_centre():
    images = torch.randn(1, 3, 8, 8)
    dilated = distances(converted(nn.Conv2d(3, 4, 3, padding=2, dilation=2)), images)
    assert sorted(dilated) == pytest.approx([0] + 4 * [2] + 4 * [2 * ROOT], abs=1e-12)
    assert distances(converted(nn.Conv2d(3, 4, 2)), images) == pytest.approx(4 * [ROOT / 2])
    # Around the edge: of 8 queries a row, 7 look 1 pixel to the left, one looks 7 to the right.
    circular = converted(nn.Conv2d(3, 4, (1, 3), padding=(0, 1), padding_mode="circular"))
    assert distances(circular, images) == pytest.approx([14 / 8, 0, 14 / 8])


def test_a_patch_embedding_looks_from_the_patchs_centre():
    model = converted(nn.Conv2d(3, 5, 4, 4))
    expected = [dist((r + 0.5, c + 0.5), (2, 2)) for r, c in product(range(4), range(4))]
    assert distances(model, torch.randn(1, 3, 8, 8)) == pytest.approx(expected)


def test_pools_and_the_global_pool_by_hand():
    images = torch.randn(2, 3, 8, 8)
    for pool in (nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(4)):
        table = attention_distance(converted(pool), images)
        assert table["distance"].tolist() == pytest.approx([ROOT / 2] * len(table))
        assert set(table["kind"]) == {"pooling as attention"}
    # 2 x 2 tokens of 4 pixels: all are 2 rows and 2 columns from the image's centre.
    model = converted(nn.MaxPool2d(4), nn.AdaptiveAvgPool2d(1))
    assert attention_distance(model, images).iloc[-1][["distance", "queries", "keys"]].tolist() == [
        pytest.approx(2 * ROOT),
        1,
        4,
    ]
    # Zeros around the image have no place, though this pool counts them: of a row of 3, the middle pixel
    # looks at 3, the outer ones at 2.
    row = vision.as_attention(nn.Sequential(nn.AvgPool2d((1, 3), 1, (0, 1))).eval(), (3, 1, 3))
    assert distances(row, torch.randn(1, 3, 1, 3)) == pytest.approx([(1 / 2 + 2 / 3 + 1 / 2) / 3])


def test_a_convolution_with_few_heads_weighs_the_positions_of_its_window():
    conv = nn.Conv2d(1, 2, 3, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]]).expand(2, 1, 3, 3))
    model = vision.as_attention(nn.Sequential(conv).eval(), (1, 8, 8), heads="min")
    table = attention_distance(model, torch.randn(1, 1, 8, 8))
    assert table["distance"].tolist() == pytest.approx([4 / 8], rel=1e-3)


@pytest.mark.parametrize("before", [0, 1, 5])
def test_equal_attention_without_its_prefix_tokens_is_the_mean_over_pairs(before):
    options = {"class_token": before > 0, "reg_tokens": max(0, before - 1), "global_pool": "avg"}
    model = timm_vit(img_size=(16, 32), **options)
    for block in model.blocks:
        nn.init.zeros_(block.attn.qkv.weight)
        nn.init.zeros_(block.attn.qkv.bias)
    table = attention_distance(model, torch.randn(2, 3, 16, 32))
    assert table["distance"].tolist() == pytest.approx([mean_distance_by_hand(2, 4, (8, 8))] * 6)
    assert table["depth"].tolist() == [1, 1, 1, 2, 2, 2] and table["head"].tolist() == [0, 1, 2] * 2
    assert set(table["queries"]) == set(table["keys"]) == {8} and set(table["kind"]) == {"attention"}


def test_distances_are_the_maps_without_their_prefix_renormalised():
    model, images = timm_vit(reg_tokens=2), torch.randn(2, 3, 32, 32)
    for block in model.blocks:
        nn.init.normal_(block.attn.qkv.weight)
    places = [(8 * r + 4, 8 * c + 4) for r, c in product(range(4), range(4))]
    away = torch.tensor([[dist(q, k) for k in places] for q in places])
    expected = []
    for weights in attention_maps(model, images).values():
        inside = weights[:, :, 3:, 3:] / weights[:, :, 3:, 3:].sum(-1, keepdim=True)
        expected += (inside * away).sum(-1).mean((0, 2)).tolist()
    assert distances(model, images) == pytest.approx(expected, rel=1e-5)
    assert max(expected) - min(expected) > 0.5


def test_queries_and_fewer_keys_have_separate_positions():
    class Reduced(nn.Module):
        def forward(self, x):
            q, k = x.flatten(2).mT, nn.functional.avg_pool2d(x, 2).flatten(2).mT
            return F.scaled_dot_product_attention(q, 0 * k, k)

    model: Any = Reduced()
    model.grid = Grid(4, 4)
    places = [(r + 0.5, c + 0.5) for r, c in product(range(4), range(4))]
    keys = [(1, 1), (1, 3), (3, 1), (3, 3)]
    table = attention_distance(model, torch.randn(2, 3, 4, 4))
    assert table["distance"].tolist() == pytest.approx([sum(dist(q, k) for q in places for k in keys) / 64])
    assert table[["queries", "keys", "heads"]].to_numpy().tolist() == [[16, 4, 1]]


def test_torchvisions_vit_has_distances_though_it_names_no_prefix_tokens():
    model = torchvision_vit()
    for layer in model.encoder.layers:
        nn.init.zeros_(layer.self_attention.in_proj_weight)
    found = distances(model, torch.randn(2, 3, 32, 32))
    assert found == pytest.approx([mean_distance_by_hand(4, 4, (8, 8))] * 4)


def test_positions_of_our_mixers_are_those_of_their_patches():
    images = torch.randn(2, 3, 12, 20)
    options = {"img_size": (12, 20), "patch_size": 4, "depth": 1}
    cnn = attention_distance(build("field_cnn_attention", **options), images)
    assert sorted(cnn["distance"]) == pytest.approx([0] + 4 * [4] + 4 * [4 * ROOT], abs=1e-12)
    assert set(cnn["kind"]) == {"convolution as attention"}
    vit, local = (build(name, **options) for name in ("field_vit", "field_local"))
    for model in (vit, local):
        nn.init.zeros_(model.blocks[0].mixer.qkv.weight)
    assert distances(vit, images) == pytest.approx([mean_distance_by_hand(3, 5, (4, 4))] * 4)
    near = [
        [4 * dist(q, k) for k in product(range(3), range(5)) if max(abs(q[0] - k[0]), abs(q[1] - k[1])) < 2]
        for q in product(range(3), range(5))
    ]
    assert distances(local, images) == pytest.approx([sum(sum(one) / len(one) for one in near) / 15] * 4)


def test_a_mean_over_tokens_is_kept_as_a_pool_from_the_images_centre():
    model = vision.as_attention(build("field_cnn", img_size=8, patch_size=4, depth=1).eval(), 8)
    last = attention_distance(model, torch.randn(1, 3, 8, 8)).iloc[-1]
    assert last["kind"] == "pooling as attention" and last["queries"] == 1 and last["keys"] == 4
    assert last["distance"] == pytest.approx(2 * ROOT)


def test_a_sharp_soft_convolution_has_a_convolutions_distances_and_a_moved_centre_shows():
    soft = soft_convolution(nn.Conv2d(3, 4, 3, padding=1), alpha=40.0)
    images = torch.randn(1, 3, 8, 8)
    table = attention_distance(nn.Sequential(soft), images)
    exact = [ROOT, 1, ROOT, 1, 0, 1, ROOT, 1, ROOT]
    assert table["distance"].tolist() == pytest.approx(exact, abs=1e-5)
    assert set(table["kind"]) == {"soft convolution"}
    with torch.no_grad():
        soft.centres[4] = torch.tensor([0.0, -2.0])
    # Columns 2 to 7 find a key two to the left; 0 and 1 find the ring, whose weights have no place.
    heads = distances(nn.Sequential(soft), images)
    assert heads == pytest.approx([*exact[:4], 2, *exact[5:]], abs=1e-5)


def test_layers_without_positions_are_skipped_with_a_reason():
    swin = build(
        "swin_tiny_patch4_window7_224",
        img_size=32,
        window_size=4,
        depths=(1, 1),
        embed_dim=12,
        num_heads=(2, 2),
    )
    table = attention_distance(swin, torch.randn(1, 3, 32, 32))
    assert set(table["layer"]) == {"layers.1.blocks.0.attn"}  # 4 x 4 tokens, one window
    assert table.attrs["skipped"] == {
        "layers.0.blocks.0.attn": "4 windows per image are folded into its batch"
    }

    class SqueezeExcite(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.gate = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            x = self.conv(x)
            return x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()

    table = attention_distance(
        vision.as_attention(SqueezeExcite().eval(), (3, 8, 8)), torch.randn(1, 3, 8, 8)
    )
    assert set(table["layer"]) == {"conv"} and table.attrs["skipped"] == {"gate": "it has one key"}


def test_cnn_and_vit_give_rows_of_the_same_kind():
    cnn = vision.as_attention(build("resnet10t", num_classes=2).eval(), 32)
    table = attention_distance(cnn, torch.randn(1, 3, 32, 32))
    layers = list(dict.fromkeys(table["layer"]))
    assert layers[:2] == ["conv1.0", "conv1.3"] and layers[4:6] == ["layer1.0.conv1", "layer1.0.conv2"]
    assert list(dict.fromkeys(table["depth"])) == list(range(1, len(layers) + 1))
    assert list(table.columns) == list(attention_distance(timm_vit(), torch.randn(1, 3, 32, 32)).columns)
    # On 2 x 2 tokens of 16 pixels, a stride of 2 leaves one query: 5 of its 9 heads lie beyond the border.
    few = table[table["layer"] == "layer4.0.conv1"]["distance"]
    assert few.isna().sum() == 5 and few.dropna().tolist() == pytest.approx([0, 16, 16, 16 * ROOT])
    assert table.attrs["skipped"]["layer4.0.conv2"] == "it has one key"
    # The stem's 3 x 3 of stride 2 looks at pixels, the next at every second.
    assert table.groupby("layer")["distance"].max()[["conv1.0", "conv1.3"]].tolist() == [
        pytest.approx(ROOT),
        pytest.approx(2 * ROOT),
    ]


@pytest.mark.parametrize(("rows", "cols", "pitch"), [(1, 1, (4, 4)), (3, 5, (4, 4)), (4, 2, (2, 8))])
def test_equal_attentions_distance_is_the_mean_over_pairs(rows, cols, pitch):
    found = equal_distance(Grid(rows, cols), (rows * pitch[0], cols * pitch[1]))
    assert found == pytest.approx(mean_distance_by_hand(rows, cols, pitch))


def test_equal_attentions_distance_on_a_fine_grid_is_the_unit_squares():
    # Robbins: (2 + sqrt 2 + 5 ln(1 + sqrt 2)) / 15, the mean distance of two points of a square.
    assert equal_distance(Grid(400, 400), (1, 1)) == pytest.approx(0.5214054, abs=1e-5)


CHANNELS, OWN_WAY, ONE_QUERY = "it attends over channels", "in its own way", "it has one query"


@pytest.mark.parametrize(
    ("name", "options", "reasons"),
    [
        (
            "xcit_nano_12_p16_224",
            {"depth": 2},
            {"blocks.1.attn": CHANNELS, "cls_attn_blocks.0.attn": ONE_QUERY},
        ),
        ("cait_xxs24_224", {"depth": 1}, {"blocks.0.attn": OWN_WAY, "blocks_token_only.1.attn": ONE_QUERY}),
    ],
)
def test_attention_over_channels_and_of_a_class_token_is_no_distance(name, options, reasons):
    table = attention_distance(build(name, img_size=(32, 64), **options).eval(), torch.randn(1, 3, 32, 64))
    assert table.empty
    for layer, reason in reasons.items():
        assert reason in table.attrs["skipped"][layer]


class OverChannels(nn.Module):
    """Attention between channels, which calls the same function: 64 channels look like 8 x 8 tokens."""

    def __init__(self, heads=1):
        super().__init__()
        self.heads, self.grid = heads, Grid(8, 8)

    def forward(self, x):
        q = x.unflatten(2, (self.heads, -1)).transpose(1, 2).mT  # (B, H, C / H, N)
        return F.scaled_dot_product_attention(q, q, q).mT.transpose(1, 2).flatten(2)


class Mixed(nn.Module):
    """(B, 3, H, W) images as (B, H * W, C) tokens of a layer."""

    def __init__(self, layer, channels, grid):
        super().__init__()
        self.layer, self.channels, self.grid = layer, channels, grid

    def forward(self, x):
        return self.layer(x.mean(1).flatten(1)[..., None].expand(-1, -1, self.channels))


@pytest.mark.parametrize(("channels", "heads", "grid"), [(64, 1, Grid(6, 9)), (128, 2, Grid(2, 4))])
def test_channels_are_not_read_as_tokens(channels, heads, grid):
    model = Mixed(OverChannels(heads), channels, grid)
    table = attention_distance(model, torch.randn(2, 3, grid.rows, grid.cols))
    assert table.empty and table.attrs["skipped"] == {"layer": "it attends over channels, not over tokens"}


def test_pooled_keys_of_a_pyramid_are_on_the_models_grid():
    """PVT: 8 x 16 queries of 4 pixels at first, and keys of 32 pixels in every stage."""
    model = build("pvt_v2_b0", depths=(1, 1, 1, 1)).eval()
    for stage in model.stages:
        nn.init.zeros_(stage.blocks[0].attn.q.weight)
    table = attention_distance(model, torch.randn(1, 3, 64, 128)).drop_duplicates("layer")
    assert table["queries"].tolist() == [16 * 32, 8 * 16, 4 * 8, 2 * 4] and set(table["keys"]) == {8}
    keys = [(32 * r + 16, 32 * c + 16) for r, c in product(range(2), range(4))]
    for distance, patch in zip(table["distance"], (4, 8, 16, 32), strict=True):
        places = [
            (patch * (r + 0.5), patch * (c + 0.5))
            for r, c in product(range(64 // patch), range(128 // patch))
        ]
        expected = sum(dist(q, k) for q in places for k in keys) / len(places) / len(keys)
        assert distance == pytest.approx(expected, rel=1e-5)


def test_tokens_in_another_order_and_windows_are_not_read_as_a_grid():
    hiera = build("hiera_tiny_224", embed_dim=32, num_heads=1).eval()
    table = attention_distance(hiera, torch.randn(1, 3, 224, 224))
    assert table.empty and len(table.attrs["skipped"]) == 12
    assert table.attrs["skipped"]["blocks.0.attn"] == "49 windows per image are folded into its batch"
    assert "states no grid of its 196 x 196 tokens" in table.attrs["skipped"]["blocks.4.attn"]


def test_a_model_that_states_no_grid_is_not_guessed():
    class Plain(nn.Module):
        def forward(self, x):
            tokens = x.flatten(2).mT
            return F.scaled_dot_product_attention(tokens, tokens, tokens)

    table = attention_distance(Plain(), torch.randn(1, 3, 4, 9))  # 36 tokens may be 6 x 6, and are 4 x 9
    assert table.empty and "states no grid of its 36 x 36 tokens" in table.attrs["skipped"][""]
    model: Any = Plain()
    model.grid = Grid(4, 9)
    assert set(attention_distance(model, torch.randn(1, 3, 4, 9))["queries"]) == {36}
