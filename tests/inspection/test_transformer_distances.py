"""Attention distances of transformers, against distances worked out by hand."""

from itertools import product
from math import dist, sqrt
from typing import Any

import pytest
import torch
from distances_by_hand import distances, mean_distance_by_hand
from small_models import build, timm_vit, torchvision_vit
from torch import nn
from torch.nn import functional as F

import vision
from vision.inspection.attention_distance import attention_distance
from vision.inspection.attention_maps import attention_maps
from vision.patches import Grid

ROOT = sqrt(2)


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
