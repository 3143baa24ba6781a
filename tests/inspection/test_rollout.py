"""Attention rollout, against products of dense matrices."""

import pytest
import torch
from small_models import build
from torch import nn

import vision
from vision.inspection import attention_maps, attention_rollout
from vision.patches import Grid
from vision.soften import soft_convolution


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


def assert_rollout_reads(name: str, rows: slice, *, prefix: int, img_size: tuple[int, int], **options):
    """The rollout of a ViT with patches of 16 x 16 is that of some rows of tokens, to the patches."""
    model = build(name, img_size=img_size, **options).eval()
    for block in model.blocks:
        nn.init.normal_(block.attn.qkv.weight, std=0.3)
    images = torch.randn(2, 3, *img_size)
    row = rollout_by_matrices(attention_maps(model, images).values(), rows)[:, prefix:]
    wanted = (row / row.sum(1, keepdim=True)).unflatten(1, (img_size[0] // 16, img_size[1] // 16))
    torch.testing.assert_close(attention_rollout(model, images), wanted, rtol=0, atol=1e-6)


def test_rollout_of_a_class_token_reads_its_row():
    options = {"img_size": (64, 64), "depth": 3, "reg_tokens": 2}
    assert_rollout_reads("vit_tiny_patch16_224", slice(0, 1), prefix=3, **options)


def test_rollout_of_pools_shortcuts_and_gates_by_matrices():
    torch.manual_seed(0)
    model = build("seresnet18", num_classes=2).eval()
    converted, images = vision.as_attention(model, 32), torch.randn(2, 3, 32, 32)
    maps = attention_maps(converted, images)
    body = [name for name in maps if ".se." not in name and "downsample" not in name]
    assert len(body) < len(maps) and body[-1].startswith("global_pool")
    wanted = rollout_by_matrices([maps[name] for name in body], slice(None)).unflatten(1, (32, 32))
    # 3 shortcuts, and 2 layers of each of 6 gates; at 1 x 1 tokens, the last 2 gates change nothing.
    left_out = r"leaves out 15 layers: layer1\.0\.se\.fc1, layer1\.0\.se\.fc2, layer1\.1\.se\.fc1 and 12 more"
    with pytest.warns(UserWarning, match=left_out):
        found = attention_rollout(converted, images)
    torch.testing.assert_close(found, wanted / wanted.sum((1, 2), keepdim=True), rtol=0, atol=1e-6)
    assert (found[0] - found[1]).abs().max() > 1e-4  # its maximum pool looks at the image


@pytest.mark.parametrize(("pool", "first", "rows"), [("avg", 3, 6), ("token", 0, 1)])
def test_rollout_reads_what_the_head_reads(pool, first, rows):
    """The mean over the patches, or the class token: with another head it is another map."""
    options = {"img_size": (32, 48), "depth": 2, "reg_tokens": 2, "global_pool": pool}
    assert_rollout_reads("vit_tiny_patch16_224", slice(first, first + rows), prefix=3, **options)


def test_rollout_of_a_distilled_model_reads_both_tokens():
    options = {"img_size": (32, 32), "depth": 2}
    assert_rollout_reads("deit_tiny_distilled_patch16_224", slice(0, 2), prefix=2, **options)


def test_convolutions_between_layers_of_attention_are_listed():
    class Hybrid(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.conv = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 8, 3, padding=1)
            self.attn = nn.ModuleList(nn.MultiheadAttention(8, 2, batch_first=True) for _ in range(2))
            self.grid = Grid(2, 3)

        def forward(self, x):
            x = self.stem(x).flatten(2).mT
            x = x + self.attn[0](x, x, x)[0]
            x = self.conv(x.mT.unflatten(2, (2, 3))).flatten(2).mT
            return x + self.attn[1](x, x, x)[0]

    with pytest.warns(UserWarning, match="leaves out 1 layers: conv$"):
        assert attention_rollout(Hybrid().eval(), torch.randn(1, 3, 8, 12)).shape == (1, 2, 3)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("xcit_nano_12_p16_224", {"depth": 1}, r"blocks\.0\.attn does not show: it attends over channels"),
        ("cait_xxs24_224", {"depth": 1}, r"blocks\.0\.attn does not show: .* shows no weights"),
        ("pvt_v2_b0", {"depths": (1, 1, 1, 1), "img_size": None}, "4 keys, which are not the 256 tokens of"),
        ("mvitv2_tiny", {"img_size": (224, 224)}, "shows no weights"),
        ("swin_tiny_patch4_window7_224", {"window_size": 4, "depths": (1, 1)}, "windows are folded into"),
        ("vit_small_patch16_18x2_224", {"depth": 1}, "parallel ones"),
    ],
)
def test_what_has_no_rollout_is_refused_with_the_reason(name, options, reason):
    options = {key: value for key, value in {"img_size": (64, 64), **options}.items() if value}
    model = build(name, **options).eval()
    with pytest.raises(ValueError, match=reason):
        attention_rollout(model, torch.randn(1, 3, *options.get("img_size", (64, 64))))


@pytest.mark.parametrize("images", [1, 2])
def test_a_converted_xcit_is_refused_for_its_attention_over_channels(images):
    """Its positions are convolved too, once for all images, before its attention runs."""
    model = vision.as_attention(build("xcit_nano_12_p16_224", img_size=(32, 48), depth=1), (3, 32, 48))
    with pytest.raises(ValueError, match=r"blocks\.0\.attn does not show: it attends over channels"):
        attention_rollout(model, torch.randn(images, 3, 32, 48))


def test_a_convolution_of_positions_is_left_out_of_the_rollout():
    class WithPositions(nn.Module):
        def __init__(self):
            super().__init__()
            self.positions = nn.Parameter(torch.randn(1, 2, 4, 6))
            self.project, self.conv = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x):
            return self.conv(x + self.project(self.positions))

    model = vision.as_attention(WithPositions(), (2, 4, 6))
    images = torch.randn(3, 2, 4, 6)
    with pytest.warns(UserWarning, match="leaves out 1 layers: project$"):
        rollout = attention_rollout(model, images)
    alone = vision.as_attention(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1)), (2, 4, 6))
    assert torch.allclose(rollout, attention_rollout(alone, images))


def test_a_soft_convolutions_ring_is_no_grid_of_the_model():
    soft = nn.Sequential(*[soft_convolution(nn.Conv2d(3, 3, 3, padding=1), alpha=40.0) for _ in range(2)])
    with pytest.raises(ValueError, match="100 keys, which are not the 64 tokens of 0"):
        attention_rollout(soft, torch.randn(1, 3, 8, 8))


def test_a_convolution_of_heads_in_the_batch_has_no_rollout():
    """As the pools of MViT's queries and keys, once it is converted."""

    class PooledHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = nn.Conv2d(2, 2, 3, padding=1, groups=2)

        def forward(self, x):
            return self.pool(x.reshape(-1, 2, *x.shape[2:])).reshape(x.shape)

    model = vision.as_attention(PooledHeads(), (4, 6, 6))
    with pytest.raises(
        ValueError, match="heads are folded into the batch in pool; rollout needs attention ov"
    ):
        attention_rollout(model, torch.randn(1, 4, 6, 6))


def test_tokens_without_a_grid_are_refused():
    model = build("vit_tiny_patch16_224", img_size=32, depth=1).eval()
    model.patch_embed.grid_size = None
    model.patch_embed.patch_size = None
    model.feature_info = []
    with pytest.raises(ValueError, match="states no grid of its 5 tokens"):
        attention_rollout(model, torch.randn(1, 3, 32, 32))


def test_a_model_without_attention_is_an_error():
    cnn, images = nn.Sequential(nn.Conv2d(3, 2, 3)), torch.randn(2, 3, 8, 8)
    with pytest.raises(ValueError, match="convert a CNN first"):
        attention_rollout(cnn, images)
