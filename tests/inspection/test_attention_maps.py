"""Attention maps, against the formula and against what torch returns."""

import sys
from math import sqrt
from typing import Any

import pytest
import torch
from small_models import build, converted, timm_vit, torchvision_vit
from torch import nn
from torch.nn import functional as F

from vision.inspection.attention_maps import attention_maps, watch_attention


@pytest.mark.parametrize("fused", [True, False])
def test_timms_maps_follow_the_formula(fused):
    model, images = timm_vit(), torch.randn(2, 3, 32, 32)
    for block in model.blocks:
        block.attn.fused_attn = fused
    maps = attention_maps(model, images)
    assert list(maps) == ["blocks.0.attn", "blocks.1.attn"]
    model.eval()
    with torch.no_grad():
        x = model.norm_pre(model.patch_drop(model._pos_embed(model.patch_embed(images))))
        for block, seen in zip(model.blocks, maps.values(), strict=True):
            q, k, _ = block.attn.qkv(block.norm1(x)).unflatten(-1, (3, 3, 8)).permute(2, 0, 3, 1, 4)
            expected = (q @ k.transpose(-2, -1) / sqrt(8)).softmax(-1)
            torch.testing.assert_close(seen, expected)
            x = block(x)
    assert [block.attn.fused_attn for block in model.blocks] == [fused, fused]


def test_torchs_own_attention_is_seen_head_by_head():
    model, images = torchvision_vit().eval(), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        before = model(images)
        maps = attention_maps(model, images)
        attention = model.encoder.layers[0].self_attention
        cls = model.class_token.expand(2, -1, -1)
        x = torch.cat((cls, model._process_input(images)), 1) + model.encoder.pos_embedding
        x = model.encoder.layers[0].ln_1(x)
        expected = attention(x, x, x, need_weights=True, average_attn_weights=False)[1]
        assert torch.equal(before, model(images))
    assert list(maps) == [f"encoder.layers.encoder_layer_{i}.self_attention" for i in range(2)]
    torch.testing.assert_close(maps["encoder.layers.encoder_layer_0.self_attention"], expected)


def test_a_caller_of_torchs_attention_still_gets_what_it_asked_for():
    class Asks(nn.Module):
        def __init__(self):
            super().__init__()
            self.attn = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            self.none = self.attn(x, x, x, need_weights=False)[1]
            self.mean = self.attn(x, x, x)[1]
            return x

    model = Asks()
    first, second = attention_maps(model, torch.randn(3, 5, 8)).values()
    assert model.none is None and first.shape == (3, 2, 5, 5)
    torch.testing.assert_close(model.mean, second.mean(1))


def test_masks_and_scales_are_in_the_weights_and_a_second_use_has_its_own_name():
    class Twice(nn.Module):
        def forward(self, x):
            allowed = torch.eye(4, dtype=torch.bool).roll(1, 0)
            y = F.scaled_dot_product_attention(x, x, x, attn_mask=allowed, scale=3.0)
            return F.scaled_dot_product_attention(x, x, y, is_causal=True, scale=0.5)

    model, x = nn.Sequential(Twice()), torch.randn(2, 1, 4, 6)
    maps = attention_maps(model, x)
    assert list(maps) == ["0", "0:2"]
    torch.testing.assert_close(maps["0"], torch.eye(4).roll(1, 0).expand(2, 1, 4, 4))
    causal = torch.ones(4, 4).tril().bool()
    expected = (0.5 * x @ x.transpose(-2, -1)).masked_fill(~causal, -torch.inf).softmax(-1)
    torch.testing.assert_close(maps["0:2"], expected)


def test_our_own_modules_and_converted_layers_give_their_maps():
    model, images = build("field_local", img_size=16, depth=1), torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        x = model.blocks[0].norm1(model.pos_embed(model.patch_embed(images)))
    torch.testing.assert_close(
        attention_maps(model, images)["blocks.0.mixer"], model.blocks[0].mixer.attention_map(x).detach()
    )
    seen = attention_maps(converted(nn.Conv2d(3, 4, 3, padding=1)), torch.randn(1, 3, 8, 8))
    (heads,) = seen.values()
    # The corner keeps 4 of its 9 keys, the place beside it 6.
    assert heads[0].sum((0, 2))[:2].tolist() == [4, 6] and set(heads.unique().tolist()) == {0, 1}


def test_a_map_too_large_to_look_at_is_left_out_with_a_warning(monkeypatch):
    monkeypatch.setattr(sys.modules["vision.inspection.attention_maps"], "LARGEST_MAP", 9 * 64 * 64)
    model = converted(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1))
    with pytest.warns(UserWarning, match="0 is left out"):
        assert list(attention_maps(model, torch.randn(2, 3, 8, 8))) == ["1"]


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was_found_also_after_an_error(fails):
    model: Any = nn.Sequential(timm_vit(), nn.Identity())
    model[0].blocks[0].eval()
    model[0].blocks[1].attn.fused_attn = False
    modes = [m.training for m in model.modules()]

    def see(_):
        assert not any(m.training for m in model.modules()) and model[0].blocks[1].attn.fused_attn
        assert not torch.is_grad_enabled()
        if fails:
            raise KeyError("on purpose")

    if fails:
        with pytest.raises(KeyError):
            watch_attention(model, torch.randn(1, 3, 32, 32), see)
    else:
        watch_attention(model, torch.randn(1, 3, 32, 32), see)
    assert [m.training for m in model.modules()] == modes and True in modes and False in modes
    assert model[0].blocks[1].attn.fused_attn is False and torch.is_grad_enabled()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
