"""Weights for other images: channels as in timm's ViT, another size, other patches, for every mixer."""

import copy
import logging
from typing import Any

import pytest
import timm
import torch
from sklearn.datasets import load_digits
from small_models import build
from torch import nn

from vision.mixers import register_mixer, registry
from vision.models import load_model, our_models, save_model
from vision.patches import Grid
from vision.positions import resize
from vision.positions.resizing import Resizable

BACKBONES = [name for name in our_models() if name.startswith("field_")]
SMALL: dict[str, Any] = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_classes": 5}
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in BACKBONES),
    ("field_vit", {"pos_embed": "sinusoidal"}),
    ("field_vit", {"pos_embed": "conditional"}),
    ("field_vit", {"pos_embed": "relative"}),
    ("field_vit", {"pos_embed": "quadratic"}),
    ("field_vit", {"pos_embed": "rotary"}),
    ("field_local", {"pos_embed": "relative"}),
    ("field_window", {"mixer_options": {"window": 4}, "alternate_options": {"shift": 2}}),
    ("field_window", {"mixer_options": {"window": 8, "relative_bias": True}}),
    ("field_window", {"mixer_options": {"window": 3, "relative_bias": True}}),
    ("field_static", {"mixer_options": {"kernel_size": 3}}),
    ("field_graph", {"mixer_options": {"edges": "knn", "neighbours": 4}}),
]
each_model = pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*non-tuple sequence for multidimensional.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*searchsorted.*non-contiguous.*:UserWarning"),
]


def saved(folder, name: str, **options: Any) -> Any:
    """A model in evaluation mode, with random weights, saved in a folder."""
    arguments = {"in_chans": 3, **SMALL, **options}
    torch.manual_seed(0)
    model = build(name, **arguments).eval()
    size = arguments["img_size"]
    sides = (size, size) if isinstance(size, int) else size
    half = (0.5,) * arguments["in_chans"]
    images: dict[str, Any] = {"mean": half, "std": half, "input_size": (arguments["in_chans"], *sides)}
    save_model(model, folder, arguments=arguments, **images)
    return model


def timm_vit(**options: Any) -> Any:
    """timm's ViT with the stem and positions of `field_vit`: no class token, no norm before the pool."""
    like: dict[str, Any] = {"class_token": False, "global_pool": "avg", "num_heads": 4, "fc_norm": False}
    return build("vit_tiny_patch16_224", **{**SMALL, **like, **options}).eval()


def with_the_weights_of(vit: Any, **options: Any) -> Any:
    """`field_vit` with the stem, positions and blocks of timm's ViT."""
    model = build("field_vit", **{**SMALL, **options}).eval()
    state = {key.replace(".attn.", ".mixer."): value for key, value in vit.state_dict().items()}
    state["pos_embed.pos_embed"] = state.pop("pos_embed")
    state["patch_embed.proj.weight"] = state["patch_embed.proj.weight"].flatten(1)
    model.load_state_dict(state)
    for norm in model.modules():
        if isinstance(norm, nn.LayerNorm):
            norm.eps = 1e-6  # timm's
    return model


def loaded(model: Any, **changes: Any) -> Any:
    """The model with other arguments, its weights read by timm's own loader."""
    overlay = {"state_dict": model.state_dict(), "input_size": (3, 16, 16), "num_classes": 5}
    return build("field_vit", pretrained=True, pretrained_cfg_overlay=overlay, **{**SMALL, **changes}).eval()


def timm_loaded(vit: Any, **changes: Any) -> Any:
    overlay = {"state_dict": vit.state_dict(), "input_size": (3, 16, 16), "num_classes": 5}
    like = {"pretrained": True, "pretrained_cfg_overlay": overlay}
    return timm_vit(**like, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        *({"in_chans": 1}, {"in_chans": 4}, {"img_size": 24}, {"img_size": (16, 32)}, {"patch_size": 8}),
        {"patch_size": 8, "img_size": 32, "in_chans": 2},
    ],
    ids=str,
)
def test_loaded_weights_are_those_of_timms_vit_on_the_same_weights(changes):
    torch.manual_seed(0)
    vit = timm_vit()
    nn.init.normal_(vit.pos_embed)
    model = with_the_weights_of(vit)
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(model(images), vit(images), rtol=1e-5, atol=1e-5)
    ours, theirs = loaded(model, **changes), timm_loaded(vit, **changes)
    for norm in ours.modules():
        if isinstance(norm, nn.LayerNorm):
            norm.eps = 1e-6
    size = changes.get("img_size", 16)
    sides = (size, size) if isinstance(size, int) else size
    images = torch.randn(2, changes.get("in_chans", 3), *sides)
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(("before", "after"), [(3, 1), (3, 6), (1, 3)])
def test_other_channels_keep_the_answer_to_equal_channels(tmp_path, caplog, name, before, after):
    model = saved(tmp_path, name, in_chans=before)
    with caplog.at_level(logging.WARNING, "timm.models"):
        other = build(f"local-dir:{tmp_path}", pretrained=True, in_chans=after).eval()
    assert not [record for record in caplog.records if record.name.startswith("timm.models")]
    images = torch.randn(2, 1, 16, 16)  # a weight of c equal channels counts like their sum
    torch.testing.assert_close(
        other(images.expand(-1, after, -1, -1)),
        model(images.expand(-1, before, -1, -1)),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.slow
@each_model
@pytest.mark.parametrize("img_size", [24, (8, 16), (28, 12)])
def test_a_saved_model_loads_for_any_size(tmp_path, name, options, img_size):
    model = saved(tmp_path, name, **options)
    other: Any = load_model(tmp_path, img_size=img_size).eval()
    sides = (img_size, img_size) if isinstance(img_size, int) else img_size
    assert other.grid == Grid(sides[0] // 4, sides[1] // 4)
    assert other(torch.randn(2, 3, *sides)).shape == (2, 5)
    kept = {
        key: value
        for key, value in other.state_dict().items()
        if value.shape == model.state_dict()[key].shape
    }
    positions = {name for name, module in model.named_modules() if isinstance(module, Resizable)}
    for key, value in kept.items():
        if not any(key.startswith(prefix) for prefix in positions):
            assert torch.equal(value, model.state_dict()[key]), key
    for prefix in positions:
        wanted = resize(model.get_submodule(prefix), other.get_submodule(prefix).grid)
        for key, value in wanted.state_dict().items():
            assert torch.equal(value, other.state_dict()[f"{prefix}.{key}"]), f"{prefix}.{key}"


@each_model
def test_a_resized_model_is_the_loaded_one_and_back_again(tmp_path, name, options):
    model = saved(tmp_path, name, **options)
    images, wanted = torch.randn(2, 3, 16, 16), load_model(tmp_path, img_size=(16, 24)).eval()
    before = model(images)
    model.set_input_size((16, 24))
    wide = torch.randn(2, 3, 16, 24)
    assert torch.equal(model(wide), wanted(wide)) and not model.training
    with pytest.raises(ValueError, match=r"images must be \(B, 3, 16, 24\)"):
        model(images)
    model.set_input_size(16)
    if not any(isinstance(module, Resizable) for module in model.modules()):
        torch.testing.assert_close(model(images), before)


def test_resizing_in_place_keeps_the_parameters_that_do_not_depend_on_the_size():
    model = build("field_vit", **SMALL)
    model.blocks[0].requires_grad_(False)
    model.pos_embed.requires_grad_(False)
    before = dict(model.named_parameters())
    model.set_input_size(img_size=32, patch_size=8)
    after = dict(model.named_parameters())
    new = {key for key in after if after[key] is not before[key]}
    assert new == {"patch_embed.proj.weight"}  # 4 x 4 tokens as before
    assert {k: p.requires_grad for k, p in after.items()} == {k: p.requires_grad for k, p in before.items()}
    assert model.feature_info[0]["reduction"] == 8
    model.set_input_size(img_size=64)
    assert model.pos_embed.pos_embed.shape == (1, 64, 16) and not model.pos_embed.pos_embed.requires_grad
    model.to(torch.float64).set_input_size(img_size=(8, 16))
    assert {p.dtype for p in model.parameters()} == {torch.float64}


@pytest.mark.parametrize("name", ["field_vit", "field_cnn"])
def test_rectangular_patches(tmp_path, name):
    model = saved(tmp_path, name, img_size=(16, 32), patch_size=(4, 8))
    assert model.grid == Grid(4, 4) and model.feature_info[0]["reduction"] == 8
    images = torch.randn(2, 3, 16, 32)
    assert torch.equal(load_model(tmp_path).eval()(images), model(images))
    other: Any = load_model(tmp_path, patch_size=(8, 4), in_chans=1).eval()
    assert other(torch.randn(2, 1, 16, 32)).shape == (2, 5) and other.grid == Grid(2, 8)


@pytest.fixture(scope="module")
def digits():
    """The digits as images (N, 1, 8, 8) and labels, 1,200 to train on and the rest to test."""
    known: Any = load_digits()
    images = torch.tensor(known.images, dtype=torch.float32)[:, None] / 16 - 0.5
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order], torch.tensor(known.target)[order]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["field_vit", "field_local", "field_window", "field_recurrent", "field_cnn"])
def test_a_trained_model_keeps_its_accuracy_on_larger_images_with_larger_patches(digits, name):
    images, labels = digits
    torch.manual_seed(0)
    model = build(name, img_size=8, patch_size=2, in_chans=1, embed_dim=32, depth=2)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    for _ in range(12):
        for batch in torch.randperm(1200).split(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    model.eval()
    before = accuracy(model, images[1200:], labels[1200:])
    assert before > 0.9
    for img_size, patch_size in ((16, 4), (12, 3)):
        larger = nn.functional.interpolate(images[1200:], img_size, mode="bicubic")
        resized = copy.deepcopy(model)
        resized.set_input_size(img_size, patch_size)
        assert accuracy(resized, larger, labels[1200:]) > before - 0.02, (img_size, patch_size)


def accuracy(model: Any, images: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model(images).argmax(1) == labels).float().mean())


def test_a_stem_of_convolutions_has_one_patch_size_for_good(tmp_path):
    saved(tmp_path, "field_vit_conv_stem")
    with pytest.raises(
        ValueError, match=r"patch_size sets how many convolutions .* patch_size=4 do not fit patch"
    ):
        load_model(tmp_path, patch_size=8)
    other: Any = load_model(tmp_path, img_size=32, in_chans=1).eval()
    assert other(torch.randn(2, 1, 32, 32)).shape == (2, 5)


def test_rectangular_patches_of_an_unknown_file_are_refused():
    model = build("field_vit", **{**SMALL, "img_size": 32, "patch_size": (4, 8)})
    with pytest.raises(
        ValueError, match="patch_size of the checkpoint is not known: its patches hold 96 values"
    ):
        loaded(model, img_size=32)


class Normed(nn.Module):
    """A mixer with buffers: running statistics that are saved, and a table for its grid that is not."""

    table: torch.Tensor

    def __init__(self, dim: int, grid: Grid, *, device=None, dtype=None) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim, device=device, dtype=dtype)
        self.register_buffer("table", torch.ones(grid.size, 1, device=device, dtype=dtype), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm((x * self.table).transpose(1, 2)).transpose(1, 2)


class OneGrid(nn.Module):
    """A mixer with a weight for each pair of tokens, as in an MLP-Mixer."""

    def __init__(self, dim: int, grid: Grid, *, device=None, dtype=None) -> None:
        super().__init__()
        self.proj = nn.Linear(grid.size, grid.size, device=device, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(x.transpose(1, 2)).transpose(1, 2)


@pytest.fixture
def own_mixers(monkeypatch):
    monkeypatch.setattr("vision.mixers.registry._mixers", dict(registry._mixers))
    register_mixer("normed")(Normed)
    register_mixer("one grid")(OneGrid)


def test_running_statistics_of_an_own_mixer_are_kept(own_mixers, tmp_path):
    arguments = {**SMALL, "mixer": "normed"}
    model = build("field_cnn", **arguments)
    for _ in range(3):
        model(3 * torch.randn(8, 3, 16, 16) + 1)
    wide, images = torch.randn(2, 3, 16, 24), {"input_size": (3, 16, 16), "mean": (0.5,), "std": (0.5,)}
    save_model(model, tmp_path, arguments=arguments, **images)
    loaded = load_model(tmp_path, img_size=(16, 24)).eval()
    before = {key: value.clone() for key, value in model.state_dict().items() if "running" in key}
    model.eval().set_input_size((16, 24))
    for other in (loaded, model):
        assert len(before) == 4 and all(torch.equal(other.state_dict()[key], before[key]) for key in before)
    assert torch.equal(loaded(wide), model(wide))


def test_a_weight_for_one_grid_is_refused_in_a_sentence(own_mixers, tmp_path):
    arguments, images = {**SMALL, "mixer": "one grid"}, torch.randn(2, 3, 16, 16)
    model = build("field_cnn", **arguments).eval()
    save_model(model, tmp_path, arguments=arguments, input_size=(3, 16, 16), mean=(0.5,), std=(0.5,))
    before = model(images)
    message = r"mixer.proj.weight is for one size of images: its shape \(16, 16\) would become \(24, 24\)"
    with pytest.raises(ValueError, match=message):
        model.set_input_size((16, 24))
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path, img_size=(16, 24))
    assert torch.equal(model(images), before)
    assert load_model(tmp_path, in_chans=1).eval()(images[:, :1]).shape == (2, 5)


def test_a_head_of_ones_own_stays_when_the_size_changes():
    model = build("field_vit", **SMALL)
    model.head = nn.Sequential(nn.ReLU(), nn.Linear(16, 7))
    head = model.head
    model.set_input_size(img_size=32)
    assert model.head is head and model(torch.randn(2, 3, 32, 32)).shape == (2, 7)


def test_timm_finds_the_present_size():
    model = build("field_cnn", **SMALL)
    model.set_input_size((16, 32))
    assert timm.models.get_model_input_config(model)["input_size"] == (3, 16, 32)


@pytest.mark.parametrize("size", [(16, 16), (24, 24), (8, 32), (17, 30)])
def test_images_of_any_size_as_in_timms_vit(size):
    torch.manual_seed(0)
    dynamic = {"dynamic_img_size": True, "dynamic_img_pad": True}
    vit = timm_vit(**dynamic)
    nn.init.normal_(vit.pos_embed)
    ours, images = with_the_weights_of(vit, **dynamic), torch.randn(2, 3, *size)
    torch.testing.assert_close(ours(images), vit(images), rtol=1e-5, atol=1e-5)
    for one, other in zip(*(m.forward_intermediates(images)[1] for m in (ours, vit)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("field_vit_conv_stem", r"weights for patch_size=4 do not fit patch_size=8"),
        ("softened_cnn", "a softened CNN keeps its patches: weights for 4 x 4 pixels do not fit 8 x 8"),
    ],
)
def test_weights_that_keep_their_patches_are_refused_in_a_sentence(tmp_path, name, message):
    sizes: dict[str, Any] = {"img_size": 32, "embed_dim": 16, "depth": 1}
    images: dict[str, Any] = {"input_size": (3, 32, 32), "mean": (0.5,), "std": (0.5,)}
    save_model(build(name, **sizes), tmp_path, arguments=sizes, **images)
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path, img_size=64, patch_size=8)
