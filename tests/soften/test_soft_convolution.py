"""From a convolution to a soft one and back: what is kept, and what is refused."""

import math
from typing import Any

import pytest
import torch
from soft_cases import ALL, conv_of, distance
from torch import Tensor, nn

from vision.soften import soft_convolution
from vision.soften.error_bound import error_bound, theta


@ALL
def test_to_conv_returns_the_convolution(case: str, images: Tensor):
    conv = conv_of(case)
    back = soft_convolution(conv, 0.1).to_conv()
    assert torch.equal(back.weight, conv.weight) and torch.equal(back(images), conv(images))


def test_to_conv_follows_centres_that_were_exchanged():
    soft = soft_convolution(nn.Conv2d(2, 3, 3, padding=2, dilation=2), 8.0)
    with torch.no_grad():
        soft.centres[[0, 5]] = soft.centres[[5, 0]] + 0.4
    weight, back = soft.weight.flatten(2), soft.to_conv().weight.flatten(2)
    assert torch.equal(back[..., 0], weight[..., 5]) and torch.equal(back[..., 5], weight[..., 0])
    assert torch.equal(back[..., 1:5], weight[..., 1:5])


def test_to_conv_refuses_a_layer_that_is_not_a_convolution():
    soft = soft_convolution(nn.Conv2d(1, 1, 3, padding=2, dilation=2), 8.0)
    with torch.no_grad():
        soft.centres[4, 1] = 1.0  # between the positions of a dilated kernel
    with pytest.raises(
        ValueError, match=r"position of the \(3, 3\) kernel, got \[\[0.0, 1.0\]\] of heads \[4\]"
    ):
        soft.to_conv()
    with torch.no_grad():
        soft.centres[4] = torch.tensor([-2.0, 0.2])
    with pytest.raises(ValueError, match=r"different position .* got .* of heads \[1, 4\]"):
        soft.to_conv()


def test_the_convolution_is_left_as_it_is(images: Tensor):
    conv = conv_of("plain")
    before = conv.weight.clone()
    soft = soft_convolution(conv, 2.0)
    with torch.no_grad():
        soft.weight.zero_()
    assert torch.equal(conv.weight, before) and distance(soft(images), conv(images)) > 0


def test_wrong_inputs_name_what_is_wrong():
    conv = nn.Conv2d(2, 2, 3, padding=1)
    for alpha in (0.0, -1.0, math.inf, math.nan):
        for call in (lambda a: soft_convolution(conv, a), theta, lambda a: error_bound(conv, a, 1.0)):
            with pytest.raises(ValueError, match=r"alpha must be positive and finite, got alpha="):
                call(alpha)
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        (nn.Conv1d(2, 2, 3), {}, "nn.Conv2d .* got Conv1d"),
        (nn.ConvTranspose2d(2, 2, 3), {}, "got ConvTranspose2d"),
        (
            nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"),
            {},
            "'zeros' or 'replicate', got 'circular'",
        ),
        (nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), {}, "'zeros' or 'replicate', got 'reflect'"),
        (nn.Conv2d(2, 2, 3, padding=1, padding_mode="replicate"), {"ring": True}, "ring=True"),
        (nn.Conv2d(2, 2, 2, padding="same"), {}, "padding='same' .* unevenly; put nn.ZeroPad2d"),
        (conv, {"window": -1}, "window must be at least 0 .* got window=-1"),
        (nn.Conv2d(2, 2, 1, padding=2), {"ring": False, "window": 1}, "window must be at least 2"),
    ]
    for layer, given, message in wrong:
        with pytest.raises(ValueError, match=message):
            soft_convolution(layer, 8.0, **given)
    soft = soft_convolution(conv, 8.0)
    for shape in ((1, 3, 8, 8), (2, 8, 8)):
        with pytest.raises(ValueError, match=r"images must be \(B, 2, H, W\), got \("):
            soft(torch.zeros(shape))
    with pytest.raises(ValueError, match="kernel"):
        soft_convolution(nn.Conv2d(2, 2, 5), 8.0)(torch.zeros(1, 2, 4, 4))


def test_a_convolution_with_a_forward_of_its_own_is_refused():
    class Doubled(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    with pytest.raises(ValueError, match="got Doubled"):
        soft_convolution(Doubled(2, 2, 3), 8.0)
