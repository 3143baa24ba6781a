"""Widths of a backbone for a number of parameters."""

import pytest
from small_models import build

from vision.models import our_models
from vision.models.widths import Widths, fit_widths

BACKBONES = [name for name in our_models() if name.startswith("field_")]


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(
    ("params", "images"),
    [
        (60_000, {"img_size": 8, "patch_size": 2, "in_chans": 1}),
        (1_000_000, {"img_size": 32, "num_classes": 100}),
    ],
)
def test_compared_models_have_equal_parameters_within_2_percent(name, params, images):
    model = build(name, params=params, device="meta", **images)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(params, rel=0.02)


def test_impossible_widths_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"params=100\b.*nearest model has \d+"):
        build("field_vit", params=100)
    assert fit_widths(lambda w: 8 * w.embed_dim**2 + 2 * w.embed_dim * w.mlp_dim, 65_536) == Widths(64, 256)
