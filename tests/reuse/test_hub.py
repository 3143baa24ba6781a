"""hubconf.py: torch.hub lists and loads our models, and a trained one by its folder."""

from pathlib import Path
from typing import Any

import pytest
import torch

from vision.models import our_models

ROOT = str(Path(__file__).parents[2])


def test_torch_hub_builds_every_model_by_its_name():
    hub: Any = torch.hub
    with pytest.raises(RuntimeError, match="Cannot find callable not_ours in hubconf"):
        hub.load(ROOT, "not_ours", source="local")
    for name in our_models():
        assert isinstance(hub.load(ROOT, name, source="local"), torch.nn.Module)
    model = hub.load(ROOT, "field_cnn", source="local", img_size=8, patch_size=2, embed_dim=16, depth=1)
    assert model(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


def test_torch_hub_loads_a_trained_model(photo_run, photos):
    hub: Any = torch.hub
    trained = hub.load(ROOT, "trained", photo_run, source="local")
    assert trained.class_names == ("bright", "dark")
    assert trained.predict(photos / "bright" / "04.png").name in trained.class_names
