"""Exported files: they compute what the model computes, and hold its classes and normalization."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import vision
from vision.experiment import run
from vision.models import create_model, save_model
from vision.reuse import TrainedModel, export
from vision.reuse.exported_file import ENDINGS, METADATA


@pytest.fixture(scope="module")
def trained(photo_run) -> TrainedModel:
    return vision.load(photo_run)


@pytest.mark.slow
def test_onnx_runtime_computes_the_same_and_the_file_describes_itself(trained, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    written = export(trained, tmp_path / "new" / "cnn.onnx", format="onnx")
    assert written.difference < 1e-5 and written.checked == [(1, 3, 8, 8), (3, 3, 8, 8)]
    session = runtime.InferenceSession(written.path)
    known = session.get_modelmeta().custom_metadata_map
    assert json.loads(known["class_names"]) == ["bright", "dark"]
    assert json.loads(known["mean"]) == list(trained.config["mean"])
    images = torch.randn(5, 3, 8, 8)
    (found,) = session.run(["logits"], {"images": images.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), trained.model(images).detach(), rtol=1e-4, atol=1e-5)
    assert [path.name for path in written.path.parent.iterdir()] == ["cnn.onnx"]


@pytest.mark.slow
def test_a_program_of_torch_export_computes_the_same(trained, tmp_path):
    written = export(trained, tmp_path / "cnn.pt2", format="torch")
    extra = {METADATA: ""}
    program = torch.export.load(written.path, extra_files=extra).module()
    assert json.loads(extra[METADATA])["class_names"] == ["bright", "dark"]
    images = torch.randn(4, 3, 8, 8)
    torch.testing.assert_close(program(images), trained.model(images))
    assert zipfile.is_zipfile(written.path)


@pytest.mark.parametrize(
    ("target", "format", "message"),
    [
        ("model.onnx", "tflite", "format must be one of onnx, torch, got 'tflite'"),
        (".", "onnx", r"\. is a folder; give a file, such as \./model\.onnx"),
        ("model.pt", "torch", r"a file of format='torch' must end in \.pt2, got model\.pt"),
        ("pyproject.toml/model.onnx", "onnx", "cannot be written, as .*pyproject.toml is a file"),
    ],
)
def test_a_wrong_target_is_refused_before_any_work(trained, target, format, message):
    with pytest.raises(ValueError, match=message):
        export(trained, target, format=format)


def test_a_model_of_another_dtype_is_refused(photo_run, tmp_path):
    other = vision.load(photo_run, dtype=torch.bfloat16)
    with pytest.raises(ValueError, match=r"takes float32 images, got a model of torch.bfloat16 on cpu; tr"):
        export(other, tmp_path / "m.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_a_cnn_is_exported_for_images_of_any_size(photo_config, tmp_path, format):
    kwargs = {"channels": [8, 8, 8]}
    model = replace(photo_config.model, name="plain_cnn", label=f"plain {format}", kwargs=kwargs)
    trained = vision.load(run(replace(photo_config, model=model))["folder"])
    if format == "onnx":
        pytest.importorskip("onnxruntime")
    ending = {"onnx": "onnx", "torch": "pt2"}[format]
    written = export(trained, tmp_path / f"m.{ending}", format=format, dynamic_size=True)
    assert written.checked == [(1, 3, 8, 8), (3, 3, 8, 8), (1, 3, 16, 12), (3, 3, 16, 12)]
    assert written.difference < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_a_vit_is_exported_for_images_of_any_size_that_its_patch_divides(vit_run, tmp_path, format):
    if format == "onnx":
        pytest.importorskip("onnxruntime")
    trained = vision.load(vit_run)
    written = export(trained, tmp_path / f"m{ENDINGS[format]}", format=format, dynamic_size=True)
    assert written.checked == [(1, 3, 8, 8), (3, 3, 8, 8), (1, 3, 16, 12), (3, 3, 16, 12)]
    assert written.difference < 1e-5
    with pytest.raises(ValueError, match=r"images must be \(B, 3, 8, 8\)"):  # the loaded one is as it was
        trained.model(torch.zeros(1, 3, 16, 12))


def save(folder: Path, name: str, **arguments: Any) -> TrainedModel:
    """A model of another kind, as `load` returns it."""
    shape: dict[str, Any] = {"input_size": (3, 16, 16), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    model = create_model(name, **arguments)
    save_model(model, folder, arguments=arguments, **shape)
    return vision.load(folder)


def test_a_model_for_one_size_is_not_exported_with_a_dynamic_one(tmp_path):
    backbone = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 1}
    for name, arguments, message in (
        (
            "field_window",
            backbone,
            "dynamic_img_size needs a mixer that works on any grid, got mixer='win",
        ),
        ("nearest_cnn", backbone, "a model made from another one is for the grid that it was made for"),
        ("softened_cnn", backbone, "a model made from another one is for the grid that it was made for"),
        ("field_recurrent", backbone, "a recurrence is exported step by step, for one size; leave out"),
        ("vit_tiny_patch16_224", {"img_size": 16}, r"VisionTransformer takes only images of \(3, 16, 16\)"),
    ):
        trained = save(tmp_path / "saved", name, **arguments)
        with pytest.raises(ValueError, match=message):
            export(trained, tmp_path / "m.onnx", dynamic_size=True)
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.slow
def test_a_resnet_is_exported_for_images_of_any_size(tmp_path):
    trained = save(tmp_path / "saved", "resnet18_small", stem_width=4)
    written = export(trained, tmp_path / "m.pt2", format="torch", dynamic_size=True)
    assert (3, 3, 32, 24) in written.checked and written.difference < 1e-5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporter, on its way to fail
def test_what_the_exporter_cannot_do_is_one_plain_sentence(tmp_path):
    pytest.importorskip("onnxscript")
    knn = {"mixer_options": {"edges": "knn"}}
    trained = save(tmp_path / "saved", "field_graph", img_size=16, patch_size=4, embed_dim=16, depth=1, **knn)
    with pytest.raises(ValueError) as refused:
        export(trained, tmp_path / "m.onnx", dynamic_size=True)
    said = str(refused.value)
    assert said.startswith("Backbone cannot be exported with format='onnx', dynamic_size=True: ")
    assert said.endswith("; leave out the dynamic size, or load it with another img_size")
    assert said.isprintable() and "Next steps" not in said  # no colours, no lines


def _nothing_like_it(trained, example, file, axes):
    file.touch()
    return lambda images: torch.zeros(len(images), 2)


def test_a_file_that_would_differ_is_not_written(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("vision.reuse.exported_file._write_torch", _nothing_like_it)
    with pytest.raises(
        ValueError, match=r"the exported model differs from the model by .* nothing was written"
    ):
        export(trained, Path(tmp_path / "cnn.pt2"), format="torch")
    assert not list(tmp_path.iterdir())
