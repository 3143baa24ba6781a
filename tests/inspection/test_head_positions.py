"""Centres and widths of heads, against the mean and spread of their attention."""

from typing import Any

import numpy as np
import pytest
import torch
from small_models import build
from torch import nn

import vision
from vision.inspection import head_positions
from vision.patches import Grid
from vision.soften import soft_convolution, soften


def test_positions_of_heads():
    conv = nn.Conv2d(2, 2, 3, padding=2, dilation=2)
    converted = head_positions(nn.ModuleDict({"conv": vision.as_attention(conv, (2, 8, 8))}))
    assert converted[["row", "col"]].to_numpy().tolist() == [[r, c] for r in (-2, 0, 2) for c in (-2, 0, 2)]
    assert set(converted["width"]) == {0.0} and set(converted["layer"]) == {"conv"}
    soft = head_positions(nn.ModuleDict({"soft": soft_convolution(conv, alpha=8.0)}))
    assert soft[["row", "col"]].equals(converted[["row", "col"]])
    assert soft["width"].to_numpy() == pytest.approx(0.25)
    free: Any = soften(vision.as_attention(build("field_cnn", depth=1).eval()), alpha=2.0)
    free.get_submodule("blocks.0.mixer.layer").centres.data[0] = torch.tensor([5.0, -3.0])
    moved = head_positions(free).query("layer == 'blocks.0.mixer.layer' and head == 0").iloc[0]
    assert (moved["row"], moved["col"], moved["width"]) == (5.0, -3.0, 0.5) and np.isnan(moved["gate"])


@pytest.mark.parametrize("name", ["field_quadratic", "field_gated"])
def test_positions_of_learned_heads_are_their_attentions_mean_and_spread(name):
    # On a grid so large that its border is far, a head's weights by position are a Gaussian at its centre.
    model = build(name, img_size=42, patch_size=2, depth=1, embed_dim=16)
    mixer = model.blocks[0].mixer
    centres = torch.tensor([[2.0, -1.0], [0.5, 0.25], [-3.0, 3.0], [0.0, 0.0]])
    with torch.no_grad():
        mixer.centres.copy_(centres)
        mixer.alpha.copy_(torch.tensor([0.5, -0.125, 0.3, 0.2]))  # of which the absolute value counts
    table = head_positions(model)
    assert set(table["layer"]) == {"blocks.0.mixer"} and table["head"].tolist() == [0, 1, 2, 3]
    x = torch.zeros(1, 441, 16)
    by_position = mixer.position_map(x) if name == "field_gated" else mixer.attention_map(x)
    weights = by_position[0, :, 220].detach().double()  # of the central query, at (10, 10)
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
