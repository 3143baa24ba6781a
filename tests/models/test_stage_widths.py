"""Widths of a CNN's stages for a number of parameters."""

from itertools import pairwise
from typing import Any

import pytest
import timm

from vision.models import complete_arguments, cost, create_model


@pytest.mark.parametrize("params", [60_000, 210_000])
def test_params_narrows_the_stem_of_a_small_resnet_with_its_first_stage(params):
    arguments = complete_arguments("resnet18_small", img_size=32, in_chans=3, num_classes=10, params=params)
    model: Any = create_model("resnet18_small", **arguments)
    assert model.conv1.out_channels - arguments["channels"][0] in (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18_small", "resnet50", "convnext_atto"])
@pytest.mark.parametrize("params", [60_000, 210_000])
def test_params_solves_for_the_stages_of_timms_cnns_in_their_proportion(name, params):
    arguments = complete_arguments(name, img_size=32, in_chans=3, num_classes=10, params=params)
    widths = arguments.get("channels") or arguments["dims"]
    assert all(1.7 < wide / narrow < 2.4 for narrow, wide in pairwise(widths))
    assert abs(cost(create_model(name, **arguments), (3, 32, 32)).params - params) <= 0.02 * params
    assert "params" not in arguments


def test_params_that_a_model_of_timms_cannot_have_are_refused():
    images = {"img_size": 32, "in_chans": 3, "num_classes": 10}
    with pytest.raises(ValueError, match=r"params=60000 .* takes channels or dims; 'vit_tiny_p.*' takes nei"):
        complete_arguments("vit_tiny_patch16_224", params=60_000, **images)
    with pytest.raises(ValueError, match=r"params determines dims; pass one, not both, .*\(8, 1"):
        complete_arguments("convnext_atto", params=60_000, dims=(8, 16, 32, 64), **images)
    with pytest.raises(ValueError, match=r"no width gives 'resnet18_small' 50 parameters within 2%"):
        complete_arguments("resnet18_small", params=50, **images)


@pytest.mark.parametrize("name", ["plain_cnn", "resnet18_small"])
def test_our_cnns_take_params_from_timm_as_the_backbones_do(name):
    known: dict[str, Any] = {"img_size": 32, "in_chans": 1, "num_classes": 7}
    model = timm.create_model(name, params=60_000, **known)
    completed = timm.create_model(name, **complete_arguments(name, params=60_000, **known))
    shapes = [{key: value.shape for key, value in one.state_dict().items()} for one in (model, completed)]
    assert shapes[0] == shapes[1]
    assert sum(weight.numel() for weight in model.parameters()) == pytest.approx(60_000, rel=0.02)
    for params in (0, -4, "60k", True):
        with pytest.raises(ValueError, match=f"params must be an integer of at least 1, got {params!r}"):
            timm.create_model(name, params=params, **known)
    with pytest.raises(ValueError, match="params determines channels; pass one, not both"):
        timm.create_model(name, params=60_000, channels=(4, 8, 16), **known)
