"""Attention distances of convolutions and pools, against distances worked out by hand."""

from itertools import product
from math import dist, sqrt

import pytest
import torch
from distances_by_hand import distances, mean_distance_by_hand
from small_models import build, converted
from torch import nn

import vision
from vision.inspection.attention_distance import attention_distance, equal_distance
from vision.patches import Grid
from vision.soften import soft_convolution

ROOT = sqrt(2)


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


@pytest.mark.parametrize(("rows", "cols", "pitch"), [(1, 1, (4, 4)), (3, 5, (4, 4)), (4, 2, (2, 8))])
def test_equal_attentions_distance_is_the_mean_over_pairs(rows, cols, pitch):
    found = equal_distance(Grid(rows, cols), (rows * pitch[0], cols * pitch[1]))
    assert found == pytest.approx(mean_distance_by_hand(rows, cols, pitch))


def test_equal_attentions_distance_on_a_fine_grid_is_the_unit_squares():
    # Robbins: (2 + sqrt 2 + 5 ln(1 + sqrt 2)) / 15, the mean distance of two points of a square.
    assert equal_distance(Grid(400, 400), (1, 1)) == pytest.approx(0.5214054, abs=1e-5)
