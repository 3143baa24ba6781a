"""timm's options of models, each accepted or refused in one sentence by every registered model."""

import re
from typing import Any

import pytest
import torch
from small_models import build

from vision.models import our_models

SMALL: dict[str, Any] = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2}
CNNS: dict[str, dict[str, Any]] = {"plain_cnn": {"channels": (4, 6, 8)}, "resnet18_small": {"stem_width": 4}}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, CNNS.get(name, SMALL)) for name in our_models()},
    **{
        f"softened {cnn}": ("softened_cnn", {"cnn": cnn, "img_size": 16, **options})
        for cnn, options in CNNS.items()
    },
}
MAPS = [name for name in MODELS if name.endswith(tuple(CNNS))]
TOKENS = [name for name in MODELS if name not in MAPS]
pytestmark = [  # of torch, where timm resamples a relative bias
    pytest.mark.filterwarnings("ignore:.*non-tuple sequence for multidimensional.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*searchsorted.*non-contiguous.*:UserWarning"),
]
IMAGES = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
MADE = "for the grid that it was made for, got dynamic_img_size=True"
MADE_OF_OTHERS = [name for name in MODELS if name.startswith("softened ")]
NO_PATCHES = r"patch_size must be left out, as .* has no patches, got "
REFUSED: dict[tuple[str, str], str] = {
    **{(name, "patch_size"): rf"{NO_PATCHES}\(4, 8\)" for name in MAPS},
    **{(name, "set_patch_size"): rf"(?i){NO_PATCHES}\(8, 4\)|keeps its patches" for name in MAPS},
    **{(name, "dynamic_img_size"): MADE for name in (*MADE_OF_OTHERS, "nearest_cnn", "softened_cnn")},
    ("field_static", "dynamic_img_size"): "dynamic_img_size needs a mixer that works on any grid",
    ("field_window", "dynamic_img_size"): "dynamic_img_size needs a mixer that works on any grid",
    ("field_vit_conv_stem", "patch_size"): r"must be a power of two, .* got patch_size=\(4, 8\)",
    ("nearest_cnn", "patch_size"): "kernel_size must be odd and at most 2, as the tokens' grid is 4 x 2",
    ("nearest_cnn", "img_size"): "kernel_size must be odd and at most 2, as the tokens' grid is 2 x 4",
    ("nearest_cnn", "set_input_size"): r"are fitted for one grid, got img_size=\(8, 16\)",
    ("nearest_cnn", "set_patch_size"): r"are fitted for one grid, got img_size=16, patch_size=\(8, 4\)",
    ("softened_cnn", "set_patch_size"): r"keeps its patches, got patch_size=\(8, 4\)",
    ("field_vit_conv_stem", "set_patch_size"): r"must be a power of two, .* got patch_size=\(8, 4\)",
}
each = pytest.mark.parametrize("name", MODELS)
each_of_tokens = pytest.mark.parametrize("name", TOKENS)
each_of_maps = pytest.mark.parametrize("name", MAPS)


def model_of(name: str, **changes: Any) -> Any:
    registered, options = MODELS[name]
    return build(registered, **{"in_chans": 1, "num_classes": 5, **options, **changes}).eval()


def refused(name: str, option: str) -> Any:
    return pytest.raises(ValueError, match=REFUSED[name, option])


@pytest.mark.slow
@each
@pytest.mark.parametrize("pool", ["avg", "max", "avgmax"])
def test_every_pool_is_built_and_set(name, pool):
    built, changed = model_of(name, global_pool=pool), model_of(name, global_pool="avg")
    changed.load_state_dict(built.state_dict())
    head = changed.get_classifier().state_dict()
    changed.reset_classifier(5, pool)
    changed.get_classifier().load_state_dict(head)
    assert built(IMAGES).shape == (2, 5)
    torch.testing.assert_close(changed(IMAGES), built(IMAGES))
    kept = model_of(name, global_pool=pool, num_classes=0)
    kept.reset_classifier(3)  # keeps its pool
    assert kept(IMAGES).shape == (2, 3) and kept.num_classes == 3


@pytest.mark.slow
@each
def test_without_a_pool_features_are_returned_as_they_are(name):
    model = model_of(name)
    features = model.forward_features(IMAGES)
    model.reset_classifier(0, "")
    torch.testing.assert_close(model(IMAGES), features)
    assert model_of(name, global_pool="", num_classes=0)(IMAGES).shape == features.shape


@each_of_tokens
def test_without_a_pool_every_token_has_logits(name):
    model = model_of(name)
    assert model_of(name, global_pool="")(IMAGES).shape == (2, 16, 5)
    model.reset_classifier(3, "")
    assert model(IMAGES).shape == (2, 16, 3) and model.num_classes == 3


@each_of_maps
def test_a_head_on_maps_without_a_pool_is_refused(name):
    message = "global_pool='' leaves maps, which need num_classes=0, got num_classes="
    with pytest.raises(ValueError, match=f"{message}5"):
        model_of(name, global_pool="")
    model = model_of(name)
    with pytest.raises(ValueError, match=f"{message}3"):
        model.reset_classifier(3, "")
    assert model(IMAGES).shape == (2, 5)  # as it was
    model.reset_classifier(0, "")
    assert model(IMAGES).ndim == 4
    model.reset_classifier(3)
    averaged = model.get_classifier()(model.forward_features(IMAGES).mean((2, 3)))
    torch.testing.assert_close(model(IMAGES), averaged)


@each
def test_an_unknown_pool_is_refused(name):
    with pytest.raises(ValueError, match=r"global_pool must be avg, max, avgmax.*, got 'mean'"):
        model_of(name, global_pool="mean")
    model = model_of(name)
    with pytest.raises(ValueError, match=r"global_pool must be avg, max, avgmax.*, got 'mean'"):
        model.reset_classifier(5, "mean")
    assert model(IMAGES).shape == (2, 5)


@each
def test_images_and_patches_that_are_not_square(name):
    for option, changes, images in (
        ("img_size", {"img_size": (8, 16)}, IMAGES[:, :, :8]),
        ("patch_size", {"patch_size": (4, 8)}, IMAGES),
    ):
        if (name, option) in REFUSED:
            with refused(name, option):
                model_of(name, **changes)
        else:
            assert model_of(name, **changes)(images).shape == (2, 5)


@pytest.mark.slow
@each
def test_sizes_change_in_place(name):
    for option, sizes, images in (
        ("set_input_size", {"img_size": (8, 16)}, IMAGES[:, :, :8]),
        ("set_patch_size", {"img_size": 16, "patch_size": (8, 4)}, IMAGES),
    ):
        model = model_of(name)
        if (name, option) in REFUSED:
            with refused(name, option):
                model.set_input_size(**sizes)
            assert model(IMAGES).shape == (2, 5)  # as it was
        else:
            model.set_input_size(**sizes)
            assert model(images).shape == (2, 5)


@pytest.mark.slow
@each
@pytest.mark.parametrize("size", [0, "16", (8, 8, 8), True])
def test_what_is_no_size_is_refused(name, size):
    message = rf"img_size must be .*, got {re.escape(repr(size))}"
    with pytest.raises(ValueError, match=message):
        model_of(name, img_size=size)
    if name != "nearest_cnn":  # which refuses every size
        with pytest.raises(ValueError, match=message):
            model_of(name).set_input_size(size)


@each
def test_images_of_any_size(name):
    if (name, "dynamic_img_size") in REFUSED:
        with refused(name, "dynamic_img_size"):
            model_of(name, dynamic_img_size=True)
    else:
        assert model_of(name, dynamic_img_size=True)(torch.randn(2, 1, 12, 24)).shape == (2, 5)
    assert model_of(name, img_size=18, dynamic_img_pad=True)(torch.randn(2, 1, 18, 18)).shape == (2, 5)


@each
def test_prefix_tokens_may_be_asked_for(name):
    model = model_of(name)
    with_them = model.forward_intermediates(IMAGES, return_prefix_tokens=True, intermediates_only=True)
    without = model.forward_intermediates(IMAGES, intermediates_only=True)
    assert all(torch.equal(one, other) for one, other in zip(with_them, without, strict=True))
    with pytest.raises(ValueError, match=r"output_fmt must be NCHW.*, got 'NHWC'"):
        model.forward_intermediates(IMAGES, output_fmt="NHWC")


@each_of_maps
def test_a_cnn_takes_images_of_any_size(name):
    if not name.startswith("softened"):
        assert model_of(name)(torch.randn(2, 1, 12, 24)).shape == (2, 5)


@each
def test_images_of_other_channels_are_refused(name):
    with pytest.raises(ValueError, match=r"images must be \(B, 1, .*\), got (shape )?\(2, 3, 16, 16\)"):
        model_of(name)(torch.zeros(2, 3, 16, 16))
    with pytest.raises(ValueError, match=r"images must be \(B, 1, .*\), got (shape )?\(1, 16, 16\)"):
        model_of(name)(torch.zeros(1, 16, 16))
