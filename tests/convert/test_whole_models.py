"""Whole models as masked attention: equal logits, other sizes, training."""

import copy
from typing import Any

import pytest
import torch
import torchvision
from converted_models import as_attention, create_model, relative, trained
from equivalence import FAMILIES, build, compare
from torch import nn
from torch.nn import functional as F

from vision.convert import attention_layers, set_explicit_attention
from vision.convert.layers.geometry import ConvNd

# One small model of each kind of layer; all others are left to the slow suite.
FAST = ("SqueezeNet", "this suite's CNN")


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in FAMILIES]
)
def test_logits_are_equal(family):
    name, shape = FAMILIES[family]
    model = build(name)
    before = copy.deepcopy(model.state_dict())
    comparison = compare(model, shape)
    errors, summary = comparison.errors, comparison.summary
    assert max(error for key, error in errors.items() if key.startswith("float32")) <= 1e-4
    assert max(error for key, error in errors.items() if key.startswith("float64")) <= 1e-10
    assert len(errors) == 4 and not summary.left
    after = model.float().state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items()), "the model is unchanged"
    kinds = ConvNd, nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd
    assert not [m for m in comparison.converted.modules() if isinstance(m, (*kinds, nn.BatchNorm2d))]
    layers = dict(attention_layers(comparison.converted))
    assert set(layers) == {row.name for row in summary.rows if not row.kind.startswith("attention")}


@pytest.mark.slow
def test_fewest_heads_and_soft_pools_in_a_whole_model():
    torch.manual_seed(0)
    model = trained(create_model("resnetblur18")).double()
    x = torch.randn(2, 3, 64, 64).double()
    few = as_attention(model, 64, heads="min", explicit=True)
    assert relative(few(x), model(x)) <= 1e-10
    heads = {row.name: row.heads for row in few.conversion.rows}
    assert heads["layer2.0.aa"] == 1 and heads["layer1.0.conv1"] == 9
    errors = [relative(as_attention(model, 64, pooling="soft", beta=b)(x), model(x)) for b in (10, 1e4)]
    assert errors[1] < 1e-2 * errors[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "blocks"), [("vit_tiny_patch16_224", 12), ("field_vit", 4), ("swin_tiny_patch4_window7_224", 12)]
)
def test_a_vision_transformer_keeps_its_attention_and_its_stem_converts(name, blocks):
    model = create_model(name).eval()
    shape = model.pretrained_cfg["input_size"]
    converted, x = as_attention(model), torch.randn(1, *shape)
    with torch.no_grad():
        assert relative(set_explicit_attention(converted, True)(x), model(x)) <= 1e-4
    stem, *rest = converted.conversion.rows
    assert stem.kind == "convolution" and stem.null_share == 0
    attention = [row for row in rest if row.kind.startswith("attention")]
    assert len(attention) == blocks and not converted.conversion.left
    if name == "vit_tiny_patch16_224":
        assert {(row.heads, row.keys, row.density) for row in attention} == {(3, 197, 1.0)}
    if name.startswith("swin"):
        assert attention[0].density == 1 / 64 and attention[0].keys == 56 * 56


def test_torchvisions_vision_transformer_is_recognised():
    model: Any = torchvision.models.VisionTransformer(32, 8, 2, 4, 16, 32, num_classes=5).eval()
    nn.init.normal_(model.heads.head.weight)
    converted, x = as_attention(model, 32), torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(converted(x), model(x), rtol=1e-4, atol=1e-4)
    assert [(row.kind, row.heads, row.keys) for row in converted.conversion.rows] == [
        ("convolution", 64, 32 * 32),
        ("attention", 4, 17),
        ("attention", 4, 17),
    ]


def test_a_converted_model_runs_on_other_sizes():
    model = trained(create_model("tf_efficientnet_lite0")).double()
    converted = as_attention(model, 64)
    x = torch.randn(2, 3, 77, 90).double()
    for explicit in (False, True):
        torch.testing.assert_close(
            set_explicit_attention(converted, explicit)(x), model(x), rtol=0, atol=1e-11
        )


def test_a_converted_model_trains_saves_and_copies():
    torch.manual_seed(0)
    model = as_attention(create_model("field_cnn", embed_dim=16, depth=2).eval())
    x, y = torch.randn(8, 3, 32, 32), torch.arange(8)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    for _ in range(10):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    again = copy.deepcopy(model)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(x), model(x))
    converted_again = as_attention(create_model("field_cnn", embed_dim=16, depth=2).eval())
    converted_again.load_state_dict(model.state_dict())
    assert torch.equal(converted_again(x), model(x))
