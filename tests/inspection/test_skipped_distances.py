"""Layers without an attention distance: each is left out with its reason, and no grid is guessed."""

from typing import Any

import pytest
import torch
from small_models import build
from torch import nn
from torch.nn import functional as F

import vision
from vision.inspection.attention_distance import attention_distance
from vision.patches import Grid


def test_layers_without_positions_are_skipped_with_a_reason():
    swin = build(
        "swin_tiny_patch4_window7_224",
        img_size=32,
        window_size=4,
        depths=(1, 1),
        embed_dim=12,
        num_heads=(2, 2),
    )
    table = attention_distance(swin, torch.randn(1, 3, 32, 32))
    assert set(table["layer"]) == {"layers.1.blocks.0.attn"}  # 4 x 4 tokens, one window
    assert table.attrs["skipped"] == {
        "layers.0.blocks.0.attn": "4 windows per image are folded into its batch"
    }

    class SqueezeExcite(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.gate = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            x = self.conv(x)
            return x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()

    table = attention_distance(
        vision.as_attention(SqueezeExcite().eval(), (3, 8, 8)), torch.randn(1, 3, 8, 8)
    )
    assert set(table["layer"]) == {"conv"} and table.attrs["skipped"] == {"gate": "it has one key"}


CHANNELS, OWN_WAY, ONE_QUERY = "it attends over channels", "in its own way", "it has one query"


@pytest.mark.parametrize(
    ("name", "options", "reasons"),
    [
        (
            "xcit_nano_12_p16_224",
            {"depth": 2},
            {"blocks.1.attn": CHANNELS, "cls_attn_blocks.0.attn": ONE_QUERY},
        ),
        ("cait_xxs24_224", {"depth": 1}, {"blocks.0.attn": OWN_WAY, "blocks_token_only.1.attn": ONE_QUERY}),
    ],
)
def test_attention_over_channels_and_of_a_class_token_is_no_distance(name, options, reasons):
    table = attention_distance(build(name, img_size=(32, 64), **options).eval(), torch.randn(1, 3, 32, 64))
    assert table.empty
    for layer, reason in reasons.items():
        assert reason in table.attrs["skipped"][layer]


class OverChannels(nn.Module):
    """Attention between channels, which calls the same function: 64 channels look like 8 x 8 tokens."""

    def __init__(self, heads=1):
        super().__init__()
        self.heads, self.grid = heads, Grid(8, 8)

    def forward(self, x):
        q = x.unflatten(2, (self.heads, -1)).transpose(1, 2).mT  # (B, H, C / H, N)
        return F.scaled_dot_product_attention(q, q, q).mT.transpose(1, 2).flatten(2)


class Mixed(nn.Module):
    """(B, 3, H, W) images as (B, H * W, C) tokens of a layer."""

    def __init__(self, layer, channels, grid):
        super().__init__()
        self.layer, self.channels, self.grid = layer, channels, grid

    def forward(self, x):
        return self.layer(x.mean(1).flatten(1)[..., None].expand(-1, -1, self.channels))


def test_converted_pools_of_keys_do_not_stand_for_the_attention_around_them():
    """MViT's attention has convolutions for its keys, and shows no weights of its own."""

    class PooledAttention(nn.Module):
        def __init__(self):
            super().__init__()
            self.num_heads, self.pool = 2, nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x):
            keys = self.pool(x.reshape(-1, 2, *x.shape[2:])).flatten(2)
            queries = x.reshape(-1, 2, *x.shape[2:]).flatten(2)
            return (keys @ (queries.mT @ keys).softmax(-1)).reshape(x.shape)

    model = vision.as_attention(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), PooledAttention()), (3, 6, 6))
    assert OWN_WAY in attention_distance(model, torch.randn(1, 3, 6, 6)).attrs["skipped"]["1"]


@pytest.mark.parametrize(("channels", "heads", "grid"), [(64, 1, Grid(6, 9)), (128, 2, Grid(2, 4))])
def test_channels_are_not_read_as_tokens(channels, heads, grid):
    model = Mixed(OverChannels(heads), channels, grid)
    table = attention_distance(model, torch.randn(2, 3, grid.rows, grid.cols))
    assert table.empty and table.attrs["skipped"] == {"layer": "it attends over channels, not over tokens"}


def test_tokens_in_another_order_and_windows_are_not_read_as_a_grid():
    hiera = build("hiera_tiny_224", embed_dim=32, num_heads=1).eval()
    table = attention_distance(hiera, torch.randn(1, 3, 224, 224))
    assert table.empty and len(table.attrs["skipped"]) == 12
    assert table.attrs["skipped"]["blocks.0.attn"] == "49 windows per image are folded into its batch"
    assert "states no grid of its 196 x 196 tokens" in table.attrs["skipped"]["blocks.4.attn"]


def test_a_model_that_states_no_grid_is_not_guessed():
    class Plain(nn.Module):
        def forward(self, x):
            tokens = x.flatten(2).mT
            return F.scaled_dot_product_attention(tokens, tokens, tokens)

    table = attention_distance(Plain(), torch.randn(1, 3, 4, 9))  # 36 tokens may be 6 x 6, and are 4 x 9
    assert table.empty and "states no grid of its 36 x 36 tokens" in table.attrs["skipped"][""]
    model: Any = Plain()
    model.grid = Grid(4, 9)
    assert set(attention_distance(model, torch.randn(1, 3, 4, 9))["queries"]) == {36}
