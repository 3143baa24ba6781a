"""A softened CNN by name: built, started from a trained CNN, saved and loaded, and trained in runs."""

import io
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from timm.models import save_for_hf

from vision.config import ModelConfig
from vision.experiment import run
from vision.models import complete_arguments, find_model, load_model, our_models, save_model
from vision.models.checkpoint import load_checkpoint
from vision.models.sources import build_model
from vision.patches import Grid
from vision.soften import softened_layers, start_from

IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
CNN: dict[str, Any] = {"embed_dim": 16, "depth": 1}


def softened(**arguments):
    sizes = {"img_size": 8, "in_chans": 1, "num_classes": 10}
    given = complete_arguments("softened_cnn", **sizes, **{**CNN, **arguments})
    return timm.create_model("softened_cnn", **given), given


def test_it_is_saved_and_loaded_to_the_bit(tmp_path):
    model, arguments = softened(alpha=3.0, only="blocks.*")
    save_for_hf(model.eval(), str(tmp_path), model_args=arguments, safe_serialization=True)
    loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert torch.equal(loaded(IMAGES), model(IMAGES)) and len(softened_layers(loaded)) == 1


CNNS: dict[str, dict[str, Any]] = {
    "field_cnn": {"embed_dim": 16, "depth": 2},
    "plain_cnn": {"channels": (4, 6, 8)},
    "resnet18_small": {"channels": (4, 6, 8, 8), "layers": (1, 1, 1, 1), "stem_width": 2},
}
each_cnn = pytest.mark.parametrize("cnn", CNNS)


def of(cnn: str, **arguments: Any) -> Any:
    return timm.create_model("softened_cnn", cnn=cnn, img_size=8, in_chans=1, **CNNS[cnn], **arguments)


@pytest.mark.slow
@pytest.mark.parametrize("cnn", CNNS)
def test_it_is_copied_pickled_traced_and_exported_with_equal_outputs(cnn):
    model, buffer = of(cnn).eval(), io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    with torch.no_grad():
        others: dict[str, Any] = {
            "pickle": pickle.loads(pickle.dumps(model)),
            "save": torch.load(buffer, weights_only=False),
            "fx": torch.fx.symbolic_trace(model),
            "export": torch.export.export(model, (IMAGES,)).module(),
        }
        for way, other in others.items():
            torch.testing.assert_close(other(IMAGES), model(IMAGES), rtol=1e-4, atol=1e-5, msg=way)


@each_cnn
def test_its_head_changes_as_that_of_its_cnn(cnn):
    model: Any = of(cnn).eval()
    arguments = complete_arguments(cnn, img_size=8, in_chans=1, num_classes=10, **CNNS[cnn])
    plain: Any = timm.create_model(cnn, **arguments).eval()
    for head in ((3,), (0,), (0, ""), (5, "max")):
        model.reset_classifier(*head)
        plain.reset_classifier(*head)
        assert model(IMAGES).shape == plain(IMAGES).shape and model.num_classes == head[0]


@each_cnn
def test_its_features_are_those_of_its_levels(cnn):
    torch.manual_seed(0)
    model = of(cnn).eval()
    torch.manual_seed(0)
    extractor = of(cnn, features_only=True).eval()
    maps = model.forward_intermediates(IMAGES, intermediates_only=True)
    assert len(maps) == len(extractor.feature_info.channels())
    for one, other in zip(extractor(IMAGES), maps, strict=True):
        torch.testing.assert_close(one, other)
    two = of(cnn, features_only=True, out_indices=[0, 1])
    assert len(two(IMAGES)) == 2


@each_cnn
@pytest.mark.parametrize("only", ["*", "[!cps]*"])  # with and without its first layer
def test_its_weights_load_for_other_classes_channels_and_sizes(cnn, only, tmp_path):
    if cnn == "plain_cnn" and only != "*":
        pytest.skip("all its layers are in stages")
    arguments = {"cnn": cnn, "img_size": 8, "in_chans": 1, "num_classes": 10, "only": only, **CNNS[cnn]}
    model: Any = timm.create_model("softened_cnn", **arguments).eval()
    images = {"input_size": (1, 8, 8), "mean": (0.5,), "std": (0.5,)}
    save_model(model, tmp_path, arguments=arguments, **images)
    other: Any = load_model(tmp_path, num_classes=3).eval()
    assert other(IMAGES).shape == (4, 3)
    assert torch.equal(other.forward_features(IMAGES), model.forward_features(IMAGES))
    colour: Any = load_model(tmp_path, in_chans=3).eval()
    torch.testing.assert_close(colour(IMAGES.expand(-1, 3, -1, -1)), model(IMAGES), rtol=1e-4, atol=1e-5)
    larger: Any = load_model(tmp_path, img_size=16).eval()
    assert larger(torch.randn(2, 1, 16, 16)).shape == (2, 10)
    weights: Any = larger.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())


def test_a_softened_backbone_changes_its_size_in_place_and_keeps_its_weights():
    model, wanted = of("field_cnn").eval(), of("field_cnn").eval()
    before = dict(model.named_parameters())
    model.requires_grad_(False).set_input_size((16, 8))
    after = dict(model.named_parameters())
    assert all(after[name] is weight for name, weight in before.items()) and model.grid == Grid(8, 4)
    assert model(torch.randn(2, 1, 16, 8)).shape == (2, 10)
    model.set_input_size(8)
    wanted.load_state_dict(model.state_dict())
    torch.testing.assert_close(pickle.loads(pickle.dumps(model))(IMAGES), wanted(IMAGES))
    with pytest.raises(ValueError, match="keeps its patches, got patch_size=4"):
        model.set_input_size(16, patch_size=4)


@pytest.mark.filterwarnings("ignore:.*searchsorted.*non-contiguous.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*non-tuple sequence for multidimensional.*:UserWarning")
@pytest.mark.parametrize("img_size", [(8, 8), (16, 8)])
@pytest.mark.parametrize(("cnn", "pos_embed"), [("field_cnn", "learned"), ("field_vit", "relative")])
def test_its_positions_are_resized_when_it_is_loaded(cnn, pos_embed, img_size, tmp_path):
    arguments = {"cnn": cnn, "img_size": 8, "patch_size": 2, "in_chans": 1, "pos_embed": pos_embed, **CNN}
    model: Any = timm.create_model("softened_cnn", **arguments).eval()
    save_model(model, tmp_path, arguments=arguments, input_size=(1, 8, 8), mean=(0.5,), std=(0.5,))
    other, images = load_model(tmp_path, img_size=img_size).eval(), torch.randn(2, 1, *img_size)
    model.set_input_size(img_size)
    assert torch.equal(other(images), model(images))


@pytest.mark.slow
@each_cnn
def test_it_runs_in_onnx_runtime_with_equal_outputs(cnn, tmp_path):
    pytest.importorskip("onnxscript")
    runtime: Any = pytest.importorskip("onnxruntime")
    model = of(cnn).eval()
    torch.onnx.export(model, (IMAGES,), tmp_path / "m.onnx", dynamo=True, verbose=False)
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: IMAGES.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), model(IMAGES).detach(), rtol=1e-4, atol=1e-5)


def test_any_cnn_can_be_softened_by_name():
    model = timm.create_model("softened_cnn", cnn="resnet18_small", in_chans=1, img_size=8, num_classes=3)
    assert len(softened_layers(model)) == 17 and model(IMAGES).shape == (4, 3)
    assert model.training and all(p.requires_grad for p in model.parameters())
    with pytest.raises(ValueError, match=r"a converted layer whose name matches 'layer5.*'"):
        timm.create_model("softened_cnn", only="layer5.*")
    with pytest.raises(TypeError, match="not_an_argument"):
        timm.create_model("softened_cnn", not_an_argument=1)


@pytest.mark.parametrize("alpha", [4.0, 8.0])
def test_it_starts_as_the_cnn_of_a_run_but_for_what_alpha_leaves(small_run, alpha):
    folder = run(small_run)["folder"]
    cnn = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    model = softened(alpha=alpha)[0].eval()
    before = (model(IMAGES) - cnn(IMAGES)).abs().max()
    start_from(model, folder)
    after = (model(IMAGES) - cnn(IMAGES)).abs().max()
    assert after < 40 * torch.exp(torch.tensor(-alpha)) and after < before / 2


def test_a_run_starts_from_another_run(small_run):
    parent = run(small_run)
    child = replace(small_run, sweep="children", model=replace(small_run.model, init_from=parent["folder"]))
    child.training = replace(child.training, steps=1, lr=1e-9, warmup_fraction=0.0)
    again = run(child)
    assert again["test_loss"] == pytest.approx(parent["test_loss"], rel=1e-4)
    arguments = {"cnn": "field_cnn", "alpha": 8.0, **CNN}
    config = ModelConfig(name="softened_cnn", label="softened", init_from=parent["folder"], kwargs=arguments)
    started = run(replace(child, sweep="softened", model=config))
    assert started["test_loss"] == pytest.approx(parent["test_loss"], rel=0.05)


def test_a_start_that_cannot_be_is_refused_by_name(small_run, tmp_path):
    with pytest.raises(
        ValueError, match=r"model\.init_from: nowhere does not exist; give the folder of a finished run"
    ):
        run(replace(small_run, model=replace(small_run.model, init_from="nowhere")))
    folder = run(small_run)["folder"]
    wider = replace(small_run.model, init_from=folder, kwargs={**CNN, "embed_dim": 24})
    with pytest.raises(ValueError, match=r"do not fit field_cnn: .* of another shape"):
        run(replace(small_run, seed=1, model=wider))
    with pytest.raises(ValueError, match="is not the CNN that this softened CNN was made from: field_cnn"):
        start_from(softened(embed_dim=24)[0], folder)
    vit = replace(small_run, seed=2, model=ModelConfig(name="field_vit", label="ViT", kwargs=CNN))
    arguments = {"cnn": "field_cnn", "only": "blocks.*", **CNN}
    start = run(vit)["folder"]
    with pytest.raises(ValueError, match=r"model.init_from=.*/ViT/n60/s2: .* cannot start from field_vit"):
        model = ModelConfig(name="softened_cnn", init_from=start, kwargs=arguments)
        run(replace(small_run, seed=3, model=model))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="cnn of softened_cnn must be in timm's registry, got 'nope'"):
        softened(cnn="nope")
    with pytest.raises(ValueError, match="alpha must be a number, got 'x'"):
        softened(alpha="x")


def test_the_earlier_name_still_builds_and_names_the_new_one():
    with pytest.warns(UserWarning, match="released_cnn to current softened_cnn"):
        model = timm.create_model("released_cnn", cnn="field_cnn", img_size=8, in_chans=1, **CNN)
    assert len(softened_layers(model)) == 2 and model(IMAGES).shape == (4, 10)
    given = {"img_size": 8, "in_chans": 1, "num_classes": 10}
    assert complete_arguments("released_cnn", **given) == complete_arguments("softened_cnn", **given)
    assert "released_cnn" not in our_models() and "softened_cnn" in our_models()


def test_a_folder_saved_under_the_earlier_name_still_loads(tmp_path: Path):
    model, arguments = softened(alpha=3.0)
    save_for_hf(model.eval(), str(tmp_path), model_args=arguments, safe_serialization=True)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    assert config["architecture"] == "softened_cnn"
    path.write_text(json.dumps({**config, "architecture": "released_cnn"}))
    with pytest.warns(UserWarning, match="released_cnn to current softened_cnn"):
        loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert torch.equal(loaded(IMAGES), model(IMAGES))
    found = find_model(str(tmp_path))
    with pytest.warns(UserWarning, match="released_cnn to current softened_cnn"):
        named = build_model(found.name, **found.arguments).eval()
    assert found.weights is not None
    load_checkpoint(named, found.weights)
    assert torch.equal(named(IMAGES), model(IMAGES))
