"""Attention rollout, against products of dense matrices."""

import pytest
import torch
from small_models import build
from torch import nn

import vision
from vision.inspection import attention_maps, attention_rollout


def rollout_by_matrices(maps, first_rows):
    """Dense matrices, forward: from weights (B, H, N_query, N_key) in order, read by the rows given."""
    flow = None
    for weights in maps:
        mean = weights.double().mean(1)
        mean = mean / mean.sum(-1, keepdim=True)
        if mean.shape[1] == mean.shape[2]:
            mean = 0.5 * (mean + torch.eye(mean.shape[1], dtype=mean.dtype))
        flow = mean if flow is None else mean @ flow
    assert flow is not None
    return flow[:, first_rows].mean(1)


def test_rollout_is_the_product_of_the_layers_weights_with_the_residuals():
    torch.manual_seed(0)
    model = build("field_vit", img_size=16, patch_size=4, depth=2).eval()
    images, seen = torch.randn(2, 3, 16, 16), []
    handles = [
        block.mixer.register_forward_pre_hook(lambda mixer, x: seen.append(mixer.attention_map(x[0])))
        for block in model.blocks
    ]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    first, second = (0.5 * weights.mean(1).double() + 0.5 * torch.eye(16) for weights in seen)
    wanted = (second @ first).mean(1).unflatten(1, (4, 4))
    torch.testing.assert_close(attention_rollout(model, images), wanted, rtol=0, atol=1e-6)
    assert attention_rollout(model, images).sum((1, 2)).tolist() == pytest.approx([1, 1])


def test_rollout_of_a_class_token_and_of_a_converted_cnn():
    model = build("vit_tiny_patch16_224", img_size=64, depth=2).eval()
    assert attention_rollout(model, torch.randn(2, 3, 64, 64)).shape == (2, 4, 4)
    cnn = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.AdaptiveAvgPool2d(1)).eval()
    reached = attention_rollout(vision.as_attention(cnn, 4), torch.randn(1, 1, 4, 4))[0]
    # The mean reads all 16 tokens. Each has half of itself and an equal share of the nine heads inside.
    wanted = torch.zeros(4, 4, dtype=torch.float64)
    for row in range(4):
        for col in range(4):
            near = [(r, c) for r in range(4) for c in range(4) if max(abs(r - row), abs(c - col)) <= 1]
            for r, c in near:
                wanted[r, c] += 0.5 / len(near) / 16
            wanted[row, col] += 0.5 / 16
    torch.testing.assert_close(reached, wanted, rtol=0, atol=1e-6)


def test_rollout_of_a_class_token_reads_its_row():
    model = build("vit_tiny_patch16_224", img_size=64, depth=3, reg_tokens=2).eval()
    for block in model.blocks:
        nn.init.normal_(block.attn.qkv.weight, std=0.3)
    images = torch.randn(2, 3, 64, 64)
    row = rollout_by_matrices(attention_maps(model, images).values(), slice(0, 1))[:, 3:]
    wanted = (row / row.sum(1, keepdim=True)).unflatten(1, (4, 4))
    torch.testing.assert_close(attention_rollout(model, images), wanted, rtol=0, atol=1e-6)


def test_rollout_of_pools_shortcuts_and_gates_by_matrices():
    torch.manual_seed(0)
    model = build("seresnet18", num_classes=2).eval()
    converted, images = vision.as_attention(model, 32), torch.randn(2, 3, 32, 32)
    maps = attention_maps(converted, images)
    body = [name for name in maps if ".se." not in name and "downsample" not in name]
    assert len(body) < len(maps) and body[-1].startswith("global_pool")
    wanted = rollout_by_matrices([maps[name] for name in body], slice(None)).unflatten(1, (32, 32))
    found = attention_rollout(converted, images)
    torch.testing.assert_close(found, wanted / wanted.sum((1, 2), keepdim=True), rtol=0, atol=1e-6)
    assert (found[0] - found[1]).abs().max() > 1e-4  # its maximum pool looks at the image


def test_a_model_without_attention_is_an_error():
    cnn, images = nn.Sequential(nn.Conv2d(3, 2, 3)), torch.randn(2, 3, 8, 8)
    with pytest.raises(ValueError, match="convert a CNN first"):
        attention_rollout(cnn, images)
