"""A linear probe: the classifier learns, and nothing else changes."""

import copy
from typing import Any

import pytest
import timm
import torch
from torch import nn

from vision.config import TrainingConfig
from vision.training import fit

CPU = torch.device("cpu")


def batches(count: int):
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        y = torch.randint(3, (16,), generator=generator)
        yield torch.randn(16, 3, 32, 32, generator=generator) + y.view(-1, 1, 1, 1), y


def probe(model: Any, **changes) -> nn.Module:
    config = TrainingConfig(freeze_backbone=True, precision="float32", lr=0.05, **changes)
    return fit(model, batches(15), config, steps=15, device=CPU).model


@pytest.mark.parametrize("name", ["resnet18", "field_vit"])
def test_only_the_classifier_changes(name):
    arguments: dict[str, Any] = {"img_size": 32, "params": 20_000} if name == "field_vit" else {}
    model: Any = timm.create_model(name, num_classes=3, **arguments)
    before = copy.deepcopy(model.state_dict())
    probe(model)
    after = model.state_dict()
    head = {
        f"{n}.{k}" for n, m in model.named_modules() if m is model.get_classifier() for k in m.state_dict()
    }
    changed = {key for key in after if not torch.equal(after[key], before[key])}
    assert changed == head
    assert all(parameter.requires_grad for parameter in model.parameters()), "as before"


def test_the_moving_average_has_the_frozen_backbone():
    model = timm.create_model("resnet18", num_classes=3)
    before = copy.deepcopy(model.state_dict())
    average = probe(model, ema_decay=0.9)
    assert torch.equal(average.state_dict()["conv1.weight"], before["conv1.weight"])
    assert not torch.equal(average.state_dict()["fc.weight"], before["fc.weight"])


def test_a_model_without_a_classifier_is_named():
    with pytest.raises(ValueError, match=r"training.freeze_backbone=true needs a model with a classifier"):
        probe(nn.Sequential(nn.Flatten(), nn.Linear(3072, 3)))
