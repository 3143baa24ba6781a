"""Runs that start with given weights: of a run, a file, the Hub, or as timm publishes them."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file

from vision import results
from vision.checks import check_together
from vision.config import DataConfig, ModelConfig, RunConfig
from vision.experiment import run
from vision.results import ConfigMismatch, write_json
from vision.results.checksums import seal

FAR = DataConfig(source="far_marker", options={"distance": 6}, test_size=20)


@pytest.fixture
def parent(small_run: RunConfig) -> Path:
    """A run whose widths were solved for 10 classes and one channel."""
    kwargs = {"params": 20_000, "depth": 2}
    model = ModelConfig(name="field_cnn", label="parent", kwargs=kwargs)
    return Path(run(replace(small_run, model=model))["folder"])


def without_training(config: RunConfig, **model: Any) -> RunConfig:
    """A run that leaves its first weights as they are, but for rounding."""
    training = replace(
        config.training, steps=1, lr=1e-12, weight_decay=0.0, warmup_fraction=0.0, num_evaluations=1
    )
    return replace(config, sweep="started", training=training, model=ModelConfig(**model))


def weights(folder: str | Path) -> dict[str, torch.Tensor]:
    return load_file(Path(folder) / "model.safetensors")


def config_of(folder: str | Path) -> dict[str, Any]:
    return json.loads((Path(folder) / "config.json").read_text())


@pytest.mark.parametrize("prefix", ["", "local-dir:"])
def test_another_number_of_classes_replaces_the_head_and_nothing_else(small_run, parent, prefix):
    given = {"params": 50_000, "depth": 2}
    child = without_training(small_run, name="field_cnn", init_from=f"{prefix}{parent}", kwargs=given)
    result = run(replace(child, data=FAR))
    old, new = weights(parent), weights(result["folder"])
    assert new["head.weight"].shape == (len(result["classes"]), old["head.weight"].shape[1])
    assert len(result["classes"]) != 10 and old.keys() == new.keys()
    for name in old.keys() - {"head.weight", "head.bias"}:
        torch.testing.assert_close(new[name], old[name], rtol=0, atol=1e-6)
    widths = {key: config_of(parent)["model_args"][key] for key in ("embed_dim", "mlp_ratio")}
    assert {key: result["model_arguments"][key] for key in widths} == widths
    known = config_of(parent)["pretrained_cfg"]
    assert config_of(result["folder"])["pretrained_cfg"]["mean"] == known["mean"]
    assert config_of(result["folder"])["pretrained_cfg"]["std"] == known["std"]
    digest = hashlib.sha256((parent / "model.safetensors").read_bytes()).hexdigest()
    assert result["settings"]["model.init_sha256"] == digest


def test_images_of_other_channels_get_adapted_weights_and_the_average_statistics(small_run, tmp_path):
    source = timm.create_model("test_resnet", num_classes=7)
    torch.save({"state_dict": source.state_dict()}, tmp_path / "colour.pth")
    child = without_training(small_run, name="test_resnet", init_from=str(tmp_path / "colour.pth"))
    new = weights(run(child)["folder"])
    expected = source.state_dict()["conv1.0.weight"].sum(1, keepdim=True)  # as timm adapts to grey images
    torch.testing.assert_close(new["conv1.0.weight"], expected, rtol=0, atol=1e-5)
    assert new["fc.weight"].shape[0] == 10


def test_a_file_of_a_backbone_keeps_the_widths_that_its_own_classes_had(small_run, parent, tmp_path):
    shutil.copy(parent / "model.safetensors", tmp_path / "backbone.safetensors")
    start = str(tmp_path / "backbone.safetensors")
    given = {"params": 20_000, "depth": 2}
    child = replace(without_training(small_run, name="field_cnn", init_from=start, kwargs=given), data=FAR)
    new, old = weights(run(child)["folder"]), weights(parent)
    torch.testing.assert_close(new["blocks.0.mlp.fc1.weight"], old["blocks.0.mlp.fc1.weight"])
    torch.testing.assert_close(new["patch_embed.proj.weight"], old["patch_embed.proj.weight"])


def test_another_file_under_the_same_name_is_another_run(small_run, tmp_path):
    file = tmp_path / "start.pth"
    torch.save(timm.create_model("test_resnet", in_chans=1, num_classes=10).state_dict(), file)
    config = without_training(small_run, name="test_resnet", init_from=str(file))
    first = run(config)
    assert run(config)["skipped"]
    assert results.load_finished(results.run_folder(config), config) is not None  # as `vision status` sees it
    torch.save(timm.create_model("test_resnet", in_chans=1, num_classes=10).state_dict(), file)
    with pytest.raises(ConfigMismatch, match=r"model\.init_sha256: '[0-9a-f]{64}' there, '[0-9a-f]{64}'"):
        run(config)
    pinned = replace(config.model, init_sha256=first["settings"]["model.init_sha256"])
    with pytest.raises(ValueError, match=r"model\.init_sha256=.* is not the SHA-256 of the weights in .*pth"):
        run(replace(config, model=pinned, seed=1))
    file.unlink()
    assert run(config)["finished"] == first["finished"]


def test_a_model_of_the_hub_is_found_in_its_cache(small_run, parent, tmp_path, monkeypatch):
    cache = tmp_path / "hub" / "models--somebody--digits"
    shutil.copytree(parent, cache / "snapshots" / "abc")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    child = without_training(small_run, name="field_cnn", init_from="hf-hub:somebody/digits")
    result = run(child)
    assert result["test_loss"] == pytest.approx(json.loads((parent / "result.json").read_text())["test_loss"])
    missing = without_training(small_run, name="field_cnn", init_from="hf-hub:somebody/else")
    with pytest.raises(ValueError, match=r"hf-hub:somebody/else is neither on the Hugging Face Hub nor in"):
        run(replace(missing, seed=1))


@pytest.mark.parametrize("spelling", ["setting", "kwargs"])
def test_weights_that_timm_publishes_bring_their_statistics(small_run, tmp_path, spelling):
    published = timm.create_model("test_resnet", in_chans=1, num_classes=1000)
    torch.save(published.state_dict(), tmp_path / "published.pth")
    overlay = {"file": str(tmp_path / "published.pth"), "mean": [0.25], "std": [0.5], "input_size": [1, 8, 8]}
    kwargs: dict[str, Any] = {"pretrained_cfg_overlay": overlay}
    given: Any = {"pretrained": True} if spelling == "setting" else {}
    kwargs |= {} if given else {"pretrained": True}
    result = run(without_training(small_run, name="test_resnet", kwargs=kwargs, **given))
    new = weights(result["folder"])
    torch.testing.assert_close(new["conv1.0.weight"], published.state_dict()["conv1.0.weight"])
    assert new["fc.weight"].shape[0] == 10
    assert config_of(result["folder"])["pretrained_cfg"]["mean"] == [0.25]
    assert result["settings"]["model.pretrained"] and len(result["settings"]["model.init_sha256"]) == 64


def test_a_finished_run_whose_kwargs_named_its_weights_is_the_same_run(small_run, tmp_path):
    file = tmp_path / "start.pth"
    torch.save(timm.create_model("test_resnet", in_chans=1, num_classes=10).state_dict(), file)
    config = without_training(small_run, name="test_resnet", init_from=str(file))
    folder = Path(run(config)["folder"])
    record = json.loads((folder / "result.json").read_text())
    settings = {key: value for key, value in record["settings"].items() if key != "model.kwargs"}
    settings |= {"model.init_from": None, "model.kwargs.checkpoint_path": str(file)}
    del settings["model.init_sha256"]  # as an earlier version wrote them
    write_json(folder / "result.json", seal({**record, "settings": settings, "config_sha256": ""}))
    given: dict[str, Any] = {"checkpoint_path": str(file)}
    assert run(without_training(small_run, name="test_resnet", kwargs=given))["skipped"]


WRONG = {
    "no such file": (
        {"name": "field_cnn", "init_from": "nowhere.pth"},
        r"model\.init_from: nowhere\.pth does not exist; give the folder of a finished run, local-dir:FOLDER",
    ),
    "no weights": (
        {"name": "field_cnn", "init_from": "pyproject.toml"},
        r"model\.init_from: pyproject\.toml is not a file of weights: its name must end in \.safetensors",
    ),
    "an unset variable": (
        {"name": "field_cnn", "init_from": ""},
        r"model\.init_from must be a run or a file of weights, or null for none, got ''",
    ),
    "two sources": (
        {"name": "field_cnn", "init_from": "a.pth", "pretrained": True},
        r"model\.init_from=a\.pth and model\.pretrained=true are two sources of weights; give one",
    ),
    "none published": (
        {"name": "field_cnn", "pretrained": True},
        r"model\.pretrained=true: timm publishes no weights for 'field_cnn'",
    ),
    "a name with its source": (
        {"name": "local-dir:outputs/runs/CNN/n500/s0"},
        r"model\.name must be in timm's registry, got 'local-dir:.*the weights as model\.init_from=local-dir",
    ),
    "a checksum alone": (
        {"name": "field_cnn", "init_sha256": "00"},
        r"model\.init_sha256=00 belongs to model\.init_from",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_start_that_cannot_be_is_one_sentence_before_the_first_run(small_run, case):
    model, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        check_together([replace(small_run, model=ModelConfig(**model))])
    with pytest.raises(ValueError, match=message):
        run(replace(small_run, model=ModelConfig(**model)))
    assert not Path(small_run.output_dir).exists() or not any(Path(small_run.output_dir).rglob("s0"))


def test_weights_of_another_model_are_listed_by_name(small_run, parent):
    model = ModelConfig(name="field_vit", init_from=str(parent), kwargs={"embed_dim": 16, "depth": 1})
    message = r"model\.init_from=.*s0: the weights in .* do not fit field_vit: \d+ missing: .*qkv"
    with pytest.raises(ValueError, match=message):
        check_together([replace(small_run, model=model)])


def test_a_start_that_the_same_sweep_is_to_train_is_not_refused_before_it(small_run):
    child = replace(small_run.model, label="child", init_from=str(results.run_folder(small_run)))
    assert len(check_together([small_run, replace(small_run, model=child)])) == 2
