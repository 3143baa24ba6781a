"""Looking inside: CKA, attention rollout, places of heads, likeness of positions; each by another formula."""

from itertools import permutations

import numpy as np
import pytest
import timm
import torch
from torch import nn

import vision
from vision.inspection import (
    attention_maps,
    attention_rollout,
    block_names,
    cka,
    head_positions,
    position_similarity,
)
from vision.patches import Grid
from vision.soften import soft_convolution, soften


def hsic_by_definition(k: torch.Tensor, other: torch.Tensor) -> float:
    """The U-statistic over all ordered quadruples of different samples (Song et al., 2012)."""
    total, count = 0.0, 0
    for i, j, q, r in permutations(range(len(k)), 4):
        total += float(k[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q]))
        count += 1
    return total / count


class Linear(nn.Module):
    """A layer that multiplies flattened images by a fixed matrix."""

    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)

    def forward(self, x):
        return x.flatten(1) @ self.matrix


def test_cka_is_its_definition_over_minibatches():
    generator = torch.Generator().manual_seed(0)
    one, other = (Linear(torch.randn(6, width, generator=generator)) for width in (5, 7))
    batches = [torch.randn(n, 1, 2, 3, generator=generator) for n in (6, 7)]
    sums = np.zeros(3)
    for batch in batches:
        x, y = (layer(batch).double() for layer in (one, other))
        k, m = x @ x.T, y @ y.T
        sums += [hsic_by_definition(k, m), hsic_by_definition(k, k), hsic_by_definition(m, m)]
    table = cka(nn.Sequential(one), nn.Sequential(other), batches)
    assert table.to_numpy() == pytest.approx(sums[0] / np.sqrt(sums[1] * sums[2]), abs=1e-9)


def test_cka_does_not_see_rotation_or_scale_but_sees_what_is_unrelated():
    generator = torch.Generator().manual_seed(0)
    rotation = torch.linalg.qr(torch.randn(12, 12, generator=generator)).Q
    images = [torch.randn(64, 3, 2, 2, generator=generator) for _ in range(4)]
    plain = nn.Sequential(Linear(torch.eye(12)), nn.Identity())
    turned = nn.Sequential(Linear(3 * rotation))
    assert cka(plain, turned, images).to_numpy() == pytest.approx(1, abs=1e-6)
    halves = [torch.eye(12)[:, :6], torch.eye(12)[:, 6:]]
    apart = cka(nn.Sequential(Linear(halves[0])), nn.Sequential(Linear(halves[1])), images)
    assert abs(float(apart.iloc[0, 0])) < 0.1


def test_cka_of_a_model_with_itself_and_of_a_cnn_with_its_conversion():
    model = timm.create_model("resnet10t").eval()
    converted, images = vision.as_attention(model, 32), torch.randn(8, 3, 32, 32)
    table = cka(model, converted, [images])
    assert list(table.index) == list(table.columns) == [f"layer{n}.0" for n in (1, 2, 3, 4)]
    assert np.diag(table) == pytest.approx(1, abs=1e-5)
    assert table.to_numpy().max() <= 1 + 1e-5


def test_blocks_are_found_by_where_they_stand():
    assert block_names(timm.create_model("field_vit", depth=3)) == ["blocks.0", "blocks.1", "blocks.2"]
    assert block_names(timm.create_model("vit_tiny_patch16_224"))[-1] == "blocks.11"
    assert block_names(nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())) == ["0", "1"]


def test_rollout_is_the_product_of_the_layers_weights_with_the_residuals():
    torch.manual_seed(0)
    model = timm.create_model("field_vit", img_size=16, patch_size=4, depth=2).eval()
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
    model = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=2).eval()
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


def rollout_by_matrices(maps, first_rows):
    """Dense matrices, forward: from weights (B, H, N_query, N_key) in order, read by the rows given."""
    flow = None
    for weights in maps:
        mean = weights.double().mean(1)
        mean = mean / mean.sum(-1, keepdim=True)
        if mean.shape[1] == mean.shape[2]:
            mean = 0.5 * (mean + torch.eye(mean.shape[1], dtype=mean.dtype))
        flow = mean if flow is None else mean @ flow
    return flow[:, first_rows].mean(1)


def test_rollout_of_a_class_token_reads_its_row():
    model = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=3, reg_tokens=2).eval()
    for block in model.blocks:
        nn.init.normal_(block.attn.qkv.weight, std=0.3)
    images = torch.randn(2, 3, 64, 64)
    row = rollout_by_matrices(attention_maps(model, images).values(), slice(0, 1))[:, 3:]
    wanted = (row / row.sum(1, keepdim=True)).unflatten(1, (4, 4))
    torch.testing.assert_close(attention_rollout(model, images), wanted, rtol=0, atol=1e-6)


def test_rollout_of_pools_shortcuts_and_gates_by_matrices():
    torch.manual_seed(0)
    model = timm.create_model("seresnet18", num_classes=2).eval()
    converted, images = vision.as_attention(model, 32), torch.randn(2, 3, 32, 32)
    maps = attention_maps(converted, images)
    body = [name for name in maps if ".se." not in name and "downsample" not in name]
    assert len(body) < len(maps) and body[-1].startswith("global_pool")
    wanted = rollout_by_matrices([maps[name] for name in body], slice(None)).unflatten(1, (32, 32))
    found = attention_rollout(converted, images)
    torch.testing.assert_close(found, wanted / wanted.sum((1, 2), keepdim=True), rtol=0, atol=1e-6)
    assert (found[0] - found[1]).abs().max() > 1e-4  # its maximum pool looks at the image


def test_places_of_heads():
    conv = nn.Conv2d(2, 2, 3, padding=2, dilation=2)
    converted = head_positions(nn.ModuleDict({"conv": vision.as_attention(conv, (2, 8, 8))}))
    assert converted[["row", "col"]].to_numpy().tolist() == [[r, c] for r in (-2, 0, 2) for c in (-2, 0, 2)]
    assert set(converted["width"]) == {0.0} and set(converted["layer"]) == {"conv"}
    soft = head_positions(nn.ModuleDict({"soft": soft_convolution(conv, alpha=8.0)}))
    assert soft[["row", "col"]].equals(converted[["row", "col"]])
    assert soft["width"].to_numpy() == pytest.approx(0.25)
    free = soften(vision.as_attention(timm.create_model("field_cnn", depth=1).eval()), alpha=2.0)
    free.get_submodule("blocks.0.mixer.layer").centres.data[0] = torch.tensor([5.0, -3.0])
    moved = head_positions(free).query("layer == 'blocks.0.mixer.layer' and head == 0").iloc[0]
    assert (moved["row"], moved["col"], moved["width"]) == (5.0, -3.0, 0.5) and np.isnan(moved["gate"])


@pytest.mark.parametrize("name", ["field_quadratic", "field_gated"])
def test_places_of_learned_heads_are_their_attentions_mean_and_spread(name):
    # On a grid so large that its border is far, a head's weights by place are a Gaussian at its centre.
    model = timm.create_model(name, img_size=42, patch_size=2, depth=1, embed_dim=16)
    mixer = model.blocks[0].mixer
    centres = torch.tensor([[2.0, -1.0], [0.5, 0.25], [-3.0, 3.0], [0.0, 0.0]])
    with torch.no_grad():
        mixer.centres.copy_(centres)
        mixer.alpha.copy_(torch.tensor([0.5, -0.125, 0.3, 0.2]))  # of which the absolute value counts
    table = head_positions(model)
    assert set(table["layer"]) == {"blocks.0.mixer"} and table["head"].tolist() == [0, 1, 2, 3]
    x = torch.zeros(1, 441, 16)
    by_place = mixer.position_map(x) if name == "field_gated" else mixer.attention_map(x)
    weights = by_place[0, :, 220].detach().double()  # of the central query, at (10, 10)
    away = Grid(21, 21).coordinates() - 10.0
    mean = weights @ away.double()
    assert table[["row", "col"]].to_numpy() == pytest.approx(mean.numpy(), abs=1e-3)
    spread = (weights @ away.double().square() - mean.square()).sqrt()  # along rows, and along columns
    for axis in (0, 1):
        assert table["width"].to_numpy() == pytest.approx(spread[:, axis].numpy(), rel=1e-3)
    assert table["width"].tolist() == pytest.approx([1, 2, 0.6**-0.5, 0.4**-0.5])
    if name == "field_quadratic":
        assert table["gate"].isna().all()
        return
    mixer.gate.data.copy_(torch.tensor([0.0, 1.0, -1.0, 2.0]))
    content, blend = mixer.content_map(x), mixer.attention_map(x)
    gate = torch.tensor(head_positions(model)["gate"]).float()[:, None, None]
    assert gate.flatten().tolist() == pytest.approx([0.5, 0.7310586, 0.2689414, 0.8807970])
    torch.testing.assert_close(blend, gate * mixer.position_map(x) + (1 - gate) * content)


def test_likeness_of_positions():
    model = timm.create_model("field_vit", img_size=(8, 12), patch_size=4, depth=1)
    table = model.pos_embed.pos_embed[0].double()
    similar = position_similarity(model)
    assert similar.shape == (2, 3, 2, 3)
    one, other = table[1 * 3 + 2], table[0 * 3 + 1]
    assert float(similar[1, 2, 0, 1]) == pytest.approx((one @ other / one.norm() / other.norm()).item())
    with_class = position_similarity(timm.create_model("vit_tiny_patch16_224", img_size=64, depth=1))
    assert with_class.shape == (4, 4, 4, 4)
    torch.testing.assert_close(torch.einsum("rcrc->rc", with_class), torch.ones(4, 4).double())


def test_errors_say_what_would_be_right():
    cnn, images = nn.Sequential(nn.Conv2d(3, 2, 3)), torch.randn(2, 3, 8, 8)
    with pytest.raises(ValueError, match="at least 4 images, got 2"):
        cka(cnn, cnn, [images])
    with pytest.raises(ValueError, match="at least one batch"):
        cka(cnn, cnn, [])
    with pytest.raises(ValueError, match="convert a CNN first"):
        attention_rollout(cnn, images)
    with pytest.raises(ValueError, match="adds no position vectors"):
        position_similarity(cnn)
    with pytest.raises(ValueError, match=r"fewer than Grid\(rows=9, cols=9\)"):
        position_similarity(timm.create_model("field_vit"), Grid(9, 9))
