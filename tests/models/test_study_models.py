"""The models of a study: equal parameters, and a forward and backward pass in every layout and precision."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from small_models import build

from vision.cli.train.schema import conf_folder, store_schema
from vision.models import complete_arguments, cost

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
NAMES = ["plain_cnn", "field_vit_conv_stem", "field_vit", "field_cnn", "field_local", "resnet18_small"]


def gradient(model, images, *, low=False):
    """Return the logits, and the gradient of all parameters as one vector."""
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        logits = model(images)
    wide = logits if logits.dtype == torch.float64 else logits.float()
    torch.nn.functional.cross_entropy(wide, torch.arange(len(images))).backward()
    return wide.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_a_model_of_700_000_parameters_trains_in_every_layout_and_precision(name):
    torch.manual_seed(0)
    arguments = complete_arguments(name, img_size=32, in_chans=3, num_classes=10, params=700_000)
    model, images = build(name, **arguments), torch.randn(8, 3, 32, 32)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(700_000, rel=0.02)
    # In bfloat16 some max pools and ReLUs choose differently, so that gradients agree in direction only.
    logits, wanted = gradient(model, images)
    low, found = gradient(model, images, low=True)
    assert (low - logits).norm() < 0.02 * logits.norm()
    assert torch.cosine_similarity(found, wanted, dim=0) > 0.98
    _, wanted = gradient(model.double(), images.double())
    model.to(memory_format=torch.channels_last)
    _, found = gradient(model, images.double().contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_the_table_of_parameters_and_multiply_adds_is_recomputed():
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+ .*) \|$", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == 8
    store_schema()
    table = {}
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        for name, _ in rows:
            given = [f"model={name}", "hydra/sweeper=basic"]
            table[name] = [cost_of(compose("train", given).model, params) for params in (60_000, 700_000)]
    for name, cells in rows:
        wanted = []
        for one, vit in zip(table[name], table["vit"], strict=True):
            wanted += [f"{one.params:,}", f"{one.macs / 1e6:.1f}", f"{one.macs / vit.macs:.2f}"]
        assert cells.split(" | ") == wanted, name


def cost_of(config: Any, params: int) -> Any:
    kwargs: Any = OmegaConf.to_container(config.kwargs, resolve=True)
    images: dict[str, Any] = {"img_size": 32, "in_chans": 3, "num_classes": 10}
    arguments = complete_arguments(config.name, **images, **{**kwargs, "params": params})
    return cost(build(config.name, **arguments), (3, 32, 32))
