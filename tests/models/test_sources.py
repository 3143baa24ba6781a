"""Models by name: of timm, of torchvision, and from the folder of a run."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from small_cnn import images

from vision import models
from vision.models import save_model
from vision.models.checkpoint import load_checkpoint
from vision.models.sources import find_model

build_model: Any = models.build_model


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_torchvision_builds_without_warnings_and_auxiliary_heads_are_ignored(tmp_path, name):
    source = find_model(f"torchvision/{name}", num_classes=3)
    model = build_model(source.name, **source.arguments)
    auxiliary = {"aux1": "googlenet", "AuxLogits": "inception_v3"}
    extra = {f"{part}.conv.weight": torch.zeros(1) for part, of in auxiliary.items() if of == name}
    torch.save({**model.state_dict(), **extra}, tmp_path / "w.pth")
    first = next(iter(model.parameters()))
    wanted = first.detach().clone()
    torch.nn.init.zeros_(first)
    load_checkpoint(model, tmp_path / "w.pth")
    assert torch.equal(first, wanted)


def test_the_folder_of_a_run_is_a_name(tmp_path: Path):
    arguments: dict[str, Any] = {"num_classes": 3, "in_chans": 1}
    trained = timm.create_model("resnet10t", **arguments).eval()
    known = {"input_size": (1, 32, 32), "mean": (0.25,), "std": (0.5,)}
    save_model(trained, tmp_path / "s0", arguments=arguments, **known)
    source = find_model(str(tmp_path / "s0"))
    model = build_model(source.name, **json.loads(json.dumps(source.arguments))).eval()
    assert source.weights is not None
    load_checkpoint(model, source.weights)
    x = images(size=32, channels=1)
    assert torch.equal(model(x), trained(x)) and tuple(model.pretrained_cfg["mean"]) == (0.25,)
    with pytest.raises(ValueError, match="has 3 classes, got 5"):
        find_model(str(tmp_path / "s0"), num_classes=5)
    with pytest.raises(ValueError, match=r"holds no config\.json"):
        find_model(str(tmp_path))


def test_unknown_names_get_near_ones_of_both_registries():
    with pytest.raises(ValueError, match=r"'resnet1' is neither .*; did you mean .*torchvision/resnet18"):
        find_model("resnet1")
    with pytest.raises(ValueError, match=r"did you mean torchvision/squeezenet1_1"):
        build_model("squeezenet1_1")
    with pytest.raises(ValueError, match="does not take the arguments"):
        build_model("torchvision/squeezenet1_1", widht=3)
