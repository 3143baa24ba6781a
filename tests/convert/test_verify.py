"""Differences between a model and its conversion, layer by layer and of the logits."""

from typing import Any

import pytest
import torch
from small_cnn import SIZE, Small, images
from torch import nn

import vision
from vision.convert import attention_layers, layer_differences, logits_difference

as_attention: Any = vision.as_attention


def test_each_layer_is_compared_with_the_original_alone():
    model = Small(0).eval()
    converted = as_attention(model, SIZE).train()
    found = layer_differences(model, converted, images())
    assert set(found) == {row.name for row in converted.conversion.rows}
    assert max(one.relative for one in found.values()) < 3e-6
    assert logits_difference(model, converted, images()).relative < 3e-6
    assert converted.training and not model.training
    assert not any(layer.explicit for _, layer in attention_layers(converted))
    with torch.no_grad():
        converted.conv.weight[0, 0, 0, 0] += 1.0
    pool = converted.avg_pool2d_attention
    pool.register_forward_hook(lambda layer, _, output: 0.8 * output if layer.explicit else output)
    broken = layer_differences(model, converted, images())
    assert {name for name, one in broken.items() if one.relative > 1e-3} == {"conv", "avg_pool2d_attention"}
    assert broken["avg_pool2d_attention"].relative == pytest.approx(0.2, rel=1e-4)
    fast = layer_differences(model, converted, images(), explicit=False)
    assert fast["avg_pool2d_attention"].absolute == 0 and fast["conv"].relative > 1e-3


def test_a_comparison_of_zeros_only_is_marked():
    model = Small(0).eval()
    nn.init.zeros_(model.norm.weight)
    nn.init.zeros_(model.norm.bias)
    found = layer_differences(model, as_attention(model, SIZE), images())
    assert found["conv"].absolute == 0 and found["conv"].relative != found["conv"].relative
