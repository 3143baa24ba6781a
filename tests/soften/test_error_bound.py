"""The error of a soft convolution: its bound, the slope of the bound, and the limits."""

import math

import pytest
import torch
from soft_cases import ALL, PADDED, conv_of, distance, radius
from torch import Tensor, nn

from vision.soften import soft_convolution
from vision.soften.error_bound import error_bound, soft_errors, theta, weight_on_target


def test_theta_is_the_sum_and_the_weight_its_inverse_square():
    for alpha in (0.01, 0.3, 1.0, 4.0):
        assert theta(alpha) == pytest.approx(
            sum(math.exp(-alpha * n * n) for n in range(-400, 401)), rel=1e-12
        )
    # Poisson's formula: the same sum over the reciprocal line
    assert theta(0.5) == pytest.approx(math.sqrt(math.pi / 0.5) * theta(math.pi**2 / 0.5), rel=1e-12)
    known = {1: 0.318, 2: 0.619, 4: 0.931, 8: 0.9987}
    for alpha, weight in known.items():
        assert weight_on_target(alpha) == pytest.approx(weight, abs=5e-4)


def test_weight_on_target_is_that_of_a_head_far_from_the_border():
    soft = soft_convolution(nn.Conv2d(1, 1, 3, padding=1, dtype=torch.float64), 1.0)
    images = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    middle = soft.attention_map(images)[0, :, 10 * 21 + 10]  # (heads, keys on 23 x 23)
    torch.testing.assert_close(middle.sum(1), torch.ones(9, dtype=torch.float64))
    for head, (row, col) in enumerate((i, j) for i in (10, 11, 12) for j in (10, 11, 12)):
        assert float(middle[head].detach()[row * 23 + col]) == pytest.approx(weight_on_target(1.0), abs=1e-12)
        assert int(middle[head].argmax()) == row * 23 + col


@ALL
@pytest.mark.parametrize("window", [None, 1])
def test_the_bound_holds(case: str, window: int | None, images: Tensor):
    conv = conv_of(case)
    for alpha in (1.0, 2.0, 4.0, 8.0):
        error = distance(soft_convolution(conv, alpha, window=window)(images), conv(images))
        bound = error_bound(conv, alpha, radius(images))
        assert bound / 100 < error <= bound


def test_the_bound_of_groups_is_that_of_the_whole_block_diagonal_matrix():
    conv, whole = conv_of("groups"), nn.Conv2d(4, 8, 3, padding=1, dtype=torch.float64)
    with torch.no_grad():
        whole.weight.zero_()
        whole.weight[:4, :2], whole.weight[4:, 2:] = conv.weight[:4], conv.weight[4:]
    norms = torch.linalg.svdvals(whole.weight.flatten(2).permute(2, 0, 1)).amax(1)
    by_hand = 2 * 3.0 * float(norms.sum().detach()) * (1 - weight_on_target(2.0))
    assert error_bound(conv, 2.0, 3.0) == pytest.approx(by_hand, rel=1e-12)


@ALL
def test_the_error_falls_as_exp_of_minus_alpha(case: str, images: Tensor):
    conv = conv_of(case)
    errors = [distance(soft_convolution(conv, alpha)(images), conv(images)) for alpha in (4.0, 10.0)]
    assert math.log(errors[1] / errors[0]) / 6 == pytest.approx(-1, abs=0.03)


@ALL
def test_with_its_ring_it_becomes_the_zero_padded_convolution_everywhere(case: str, images: Tensor):
    conv = conv_of(case)
    soft = soft_convolution(conv, 40.0)
    assert (soft.ring != (0, 0)) == bool(conv.padding != (0, 0))
    assert distance(soft(images), conv(images)) < 1e-13


@PADDED
def test_without_the_ring_it_becomes_the_replicate_padded_convolution(case: str, images: Tensor):
    zeros, replicate = conv_of(case), conv_of(case, "replicate")
    for window in (None, 2):
        sharp = soft_convolution(zeros, 40.0, ring=False, window=window)
        assert distance(sharp(images), replicate(images)) < 1e-13
        assert sharp.to_conv().padding_mode == "replicate"
        served = soft_convolution(replicate, 2.0, window=window)
        assert served.ring == (0, 0)
        error = distance(served(images), replicate(images))
        assert 0 < error <= error_bound(replicate, 2.0, radius(images))


def test_without_the_ring_only_the_border_is_far_from_zero_padding(images: Tensor):
    table = soft_errors(conv_of("plain"), [4.0, 8.0, 12.0], images)
    assert list(table.columns) == ["alpha", "region", "ring", "measured", "bound"] and len(table) == 12
    bare = table.query("region == 'border' and not ring")["measured"].tolist()
    assert min(bare) > 0.5 and bare[2] > 0.9 * bare[0]
    rest = table.query("region == 'inside' or ring")
    assert len(rest) == 9 and bool((rest["measured"] <= rest["bound"]).all())
    assert rest.query("alpha == 12")["measured"].max() < 1e-3


def test_soft_errors_has_no_border_without_padding(images: Tensor):
    assert set(soft_errors(conv_of("no padding"), [2.0], images)["region"]) == {"inside"}
