"""Whole softened CNNs: they start as the CNN, and learn their fields."""

from itertools import pairwise
from typing import Any

import torch
from converted_models import as_attention, create_model, relative, trained
from torch.nn import functional as F

import vision
import vision.soften

soften: Any = vision.soften.soften


def test_a_softened_model_starts_as_the_cnn():
    torch.manual_seed(0)
    model = trained(create_model("resnet18_small", num_classes=4)).double()
    x = torch.randn(2, 3, 16, 16).double()
    converted = as_attention(model, 16)
    errors = [relative(soften(converted, alpha=alpha)(x), model(x)) for alpha in (8.0, 12.0, 16.0)]
    assert errors[0] < 0.1
    slopes = [float(torch.tensor(b / a).log()) / 4 for a, b in pairwise(errors)]
    assert all(-1.2 < slope < -0.8 for slope in slopes), slopes


def test_a_softened_model_learns_its_field():
    torch.manual_seed(0)
    model = create_model("field_cnn", num_classes=4, embed_dim=16, depth=2).eval()
    x, y = torch.randn(8, 3, 32, 32), torch.arange(8) % 4
    softened = soften(as_attention(model), alpha=3.0)
    before = {name: p.detach().clone() for name, p in softened.named_parameters()}
    learns = [name for name in before if name.endswith(("centres", "alpha", "q.weight"))]
    assert len(learns) == 9 and not any(before[name].any() for name in learns if name.endswith("q.weight"))
    optimizer = torch.optim.Adam(softened.parameters(), 1e-2)
    losses = []
    for _ in range(8):
        loss = F.cross_entropy(softened(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    after = dict(softened.named_parameters())
    assert not any(torch.equal(after[name], before[name]) for name in learns)
