"""Gated attention: as a convolution, as timm's GPSA, and the blend of its gate."""

from typing import Any

import pytest
import torch
from mixer_checks import DIM, GRID, WIDE, as_images, make, tokens
from timm.models.convit import GPSA
from torch import nn
from torch.nn.functional import pad

from vision.attention import MultiHeadAttention
from vision.mixers import registry
from vision.mixers.gated_attention import GatedAttention
from vision.mixers.static_attention import StaticAttention
from vision.models import Backbone
from vision.patches import Grid
from vision.soften.error_bound import weight_on_target


def kernel_of(made: GatedAttention) -> torch.Tensor:
    """Return (C, C, side, side): proj_h v_h of each head, at the position of its centre."""
    side = round(made.num_heads**0.5)
    v = made.qkv.weight.chunk(3)[2].unflatten(0, (made.num_heads, -1))
    proj = made.proj.weight.unflatten(1, (made.num_heads, -1))
    return torch.einsum("ohd,hdi->oih", proj, v).unflatten(2, (side, side))


def convolved(made: GatedAttention, x: torch.Tensor, mode: str) -> torch.Tensor:
    """(B, N, C) -> (B, N, C): the convolution that sharp heads, one per kernel position, equal."""
    side = round(made.num_heads**0.5)
    before, after = side // 2, side - 1 - side // 2
    bias = made.proj(made.qkv.bias.chunk(3)[2]).detach()
    images = pad(as_images(x, GRID), (before, after, before, after), mode=mode)
    return nn.functional.conv2d(images, kernel_of(made), bias).flatten(2).transpose(1, 2)


@pytest.mark.parametrize("num_heads", [1, 4, 9, 16])
@pytest.mark.parametrize("kernel_size", [None, 5])
def test_position_alone_and_sharp_is_the_convolution_with_the_border_repeated(num_heads, kernel_size):
    made = make(
        GatedAttention, num_heads=num_heads, kernel_size=kernel_size, alpha=50.0, gate=50.0, head_dim=3
    )
    x = tokens()
    with torch.no_grad():
        torch.testing.assert_close(made(x), convolved(made, x, "replicate"), rtol=0, atol=1e-12)
        if num_heads > 1:  # against zeros the border stays wrong, however sharp
            error = (made(x) - convolved(made, x, "constant")).abs().amax((0, 2)).view(6, 7)
            assert error[0, 0] > 0.01 and error[3, 3] < 1e-12


@pytest.mark.parametrize("alpha", [1.0, 2.0, 4.0, 8.0])
def test_the_distance_to_the_convolution_is_below_its_bound_by_less_than_50_times(alpha):
    made = make(GatedAttention, num_heads=9, alpha=alpha, gate=40.0, head_dim=3)
    x = tokens(batch=8)
    with torch.no_grad():
        error = (made(x) - convolved(made, x, "replicate")).norm(dim=-1).max()
        norms = torch.linalg.matrix_norm(kernel_of(made).permute(2, 3, 0, 1), ord=2).sum()
        bound = 2 * x.norm(dim=-1).max() * norms * (1 - weight_on_target(alpha))
    assert bound / 50 < error < bound


@pytest.mark.parametrize("gate", [-2.0, 0.0, 1.0])
def test_gated_attention_is_timms_gpsa(gate):
    grid = Grid(5, 5)
    made = make(GatedAttention, grid, gate=gate, alpha=0.7)
    theirs: Any = GPSA(DIM, 4, qkv_bias=True).double()
    weights, biases = made.qkv.weight.chunk(3), made.qkv.bias.chunk(3)
    alpha, centres = made.alpha.detach(), made.centres.detach()
    positions = torch.stack((2 * alpha * centres[:, 1], 2 * alpha * centres[:, 0], -alpha), dim=1)
    state = {
        "qk.weight": torch.cat(weights[:2]),
        "qk.bias": torch.cat(biases[:2]),
        "v.weight": weights[2],
        "v.bias": biases[2],
        "proj.weight": made.proj.weight,
        "proj.bias": made.proj.bias,
        "pos_proj.weight": positions,
        "pos_proj.bias": torch.zeros(4),
        "gating_param": made.gate,
    }
    theirs.load_state_dict(state)
    x = tokens(grid)
    theirs.rel_indices = theirs.get_rel_indices(25).double()
    torch.testing.assert_close(made.attention_map(x), theirs.get_attention(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(made(x), theirs(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel_size", [None, 3])
def test_the_gate_blends_position_and_content(kernel_size):
    made, x = make(GatedAttention, kernel_size=kernel_size), tokens()
    made.gate.data = torch.tensor([-50.0, 0.0, 2.0, 50.0], **WIDE)
    content, position, both = made.content_map(x), made.position_map(x), made.attention_map(x)
    share = torch.tensor([0.0, 0.5, 1 / (1 + 2.718281828459045**-2), 1.0], **WIDE)[:, None, None]
    torch.testing.assert_close(both, share * position + (1 - share) * content, rtol=0, atol=1e-12)
    plain = MultiHeadAttention(DIM, 4, field=made.field, **WIDE)
    plain.load_state_dict(made.state_dict(), strict=False)
    torch.testing.assert_close(content, plain.attention_map(x), rtol=0, atol=1e-12)
    assert (position - content).abs().amax((0, 2, 3)).min() > 0.01


def test_heads_must_fill_a_kernel():
    with pytest.raises(ValueError, match=r"must be a square.*1, 4, 9, 16 or more; got num_heads=6"):
        GatedAttention(12, GRID, num_heads=6)
    with pytest.raises(ValueError, match=r"num_heads=3; 1, 2, 4, 8 would fit"):
        StaticAttention(DIM, GRID, num_heads=3)
    assert GatedAttention(DIM, GRID).centres.tolist() == [[-1, -1], [-1, 0], [0, -1], [0, 0]]


def test_the_backbones_initialization_keeps_the_convolution(monkeypatch):
    monkeypatch.setitem(registry._mixers, "gated_attention", GatedAttention)
    options = {"alpha": 50.0, "gate": 50.0, "num_heads": 9}
    model = Backbone(
        img_size=(6, 7), patch_size=1, embed_dim=18, depth=2, mixer="gated_attention", mixer_options=options
    )
    x = tokens(dim=18).float()
    for block in model.blocks:
        mixer = block.mixer
        assert isinstance(mixer, GatedAttention)
        expected = convolved(mixer, x, "replicate")
        torch.testing.assert_close(mixer(x), expected, rtol=0, atol=1e-5)
