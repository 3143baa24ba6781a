"""The ResNet for small images."""

import pytest
import torch
from small_models import build
from torch import nn

from vision.models import cost


def test_small_resnet_keeps_4_by_4_of_32_by_32():
    model = build("resnet18_small")
    assert model.forward_features(torch.zeros(1, 3, 32, 32)).shape == (1, 512, 4, 4)
    assert isinstance(model.maxpool, nn.Identity)
    assert sum(p.numel() for p in model.parameters()) == 11_173_962
    # He et al. count 0.56 billion multiply-adds with this stem.
    assert cost(model, (3, 32, 32)).macs == pytest.approx(0.56e9, rel=0.01)
