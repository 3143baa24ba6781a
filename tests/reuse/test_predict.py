"""`vision.load`: a model predicts what it predicted in its run's test, whatever an image is given as."""

import copy
import json
import pickle
import shutil
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data.constants import IMAGENET_DEFAULT_MEAN
from timm.models import push_to_hf_hub, save_for_hf

import vision
from vision.data.sources.folders import load_folder
from vision.models import save_model
from vision.reuse import Prediction

CLASSES = ("bright", "dark")


@pytest.fixture(scope="module")
def trained(photo_run):
    return vision.load(photo_run)


def test_files_are_classified_as_in_the_test_of_the_run(trained, photo_run, photo_config):
    predictions = trained.predict(_files(photo_config))
    # Logits are kept as float16.
    logits = torch.from_numpy(np.load(photo_run / "test_logits.npy").astype(np.float32))
    expected = logits.softmax(1)
    assert [each.name for each in predictions] == [CLASSES[index] for index in expected.argmax(1)]
    for each, shares in zip(predictions, expected, strict=True):
        own = dict(zip(each.names, each.probabilities, strict=True))
        assert [own[name] for name in CLASSES] == pytest.approx(shares.tolist(), abs=2e-3)


def _files(config) -> list[Any]:
    """The files of the test split, in their order."""
    items = load_folder(config.data).test.pixels.items  # pyright: ignore[reportAttributeAccessIssue]
    return [items[index] for index in range(len(items))]


def test_one_image_is_a_prediction_and_several_are_a_list(trained, photos):
    file = photos / "bright" / "04.png"
    one = trained.predict(file)
    assert isinstance(one, Prediction) and set(one.names) == set(CLASSES)
    assert sum(one.probabilities) == pytest.approx(1) and one.probability == max(one.probabilities)
    for each in trained.predict([str(file), file]):
        assert each.names == one.names and each.probabilities == pytest.approx(one.probabilities, abs=1e-6)
    assert trained.predict(file, top=1).names == (one.name,)
    assert str(trained.predict(file, top=1)) == f"{one.name} {one.probability:.3f}"


@pytest.mark.parametrize("file", ["bright/04.png", "dark/03.png", "bright/02.png", "dark/01.png"])
def test_a_pil_image_and_its_pixels_are_classified_like_the_file(trained, photos, file):
    expected = trained.predict(photos / file)
    with Image.open(photos / file) as opened:
        assert trained.predict(opened) == expected
        shown = np.array(opened)
    if file.endswith("02.png"):  # the numbers know nothing of EXIF
        shown = np.rot90(shown, -1).copy()
    assert trained.predict(shown) == expected
    assert trained.predict(shown[None] if shown.ndim == 3 else shown[None, :, :, None]) == [expected]
    tensor = torch.from_numpy(shown)
    channels_first = tensor if tensor.ndim == 2 else tensor.permute(2, 0, 1)
    assert trained.predict(channels_first) == expected
    assert trained.predict(channels_first.double() / 255) == expected


def test_a_batch_of_any_size_gives_the_same(trained, photos):
    files = sorted(photos.rglob("*.png"))
    together = trained.predict(files)
    apart = [trained.predict(file) for file in files]
    for one, other in zip(together, apart, strict=True):
        assert one.names == other.names and one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
    assert [each.names for each in trained.predict(files, batch_size=7)] == [each.names for each in together]


def test_timms_transform_is_that_of_the_config(trained, photos):
    square = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8))
    pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)
    torch.testing.assert_close(trained.transform(square), trained.prepare(pixels), rtol=1e-5, atol=1e-5)
    assert trained.config["crop_pct"] == 1.0 and trained.config["interpolation"] == "bilinear"


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK"])
def test_the_transform_makes_grey_or_colour_of_any_image(photo_run, mode):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)).convert(mode)
    for channels, as_mode in ((1, "L"), (3, "RGB")):
        trained = vision.load(photo_run, in_chans=channels)
        found = pickle.loads(pickle.dumps(trained.transform))(image)  # as workers of a data loader need it
        assert found.shape == (channels, 8, 8)
        assert torch.equal(found, trained.transform(image.convert(as_mode)))


@pytest.mark.parametrize("changes", [{}, {"in_chans": 1}, {"img_size": (12, 20)}], ids=str)
def test_the_transform_reads_an_image_as_the_run_did(photo_run, photos, changes: dict[str, Any]):
    trained = vision.load(photo_run, **changes)
    for name in ("00", "01", "02", "03", "04"):  # 16 bits, transparent, dark, grey, colour
        file = next(photos.rglob(f"{name}.png"))
        wanted = trained.prepare(next(trained.reading.read(file)))
        with Image.open(file) as image:
            found = trained.transform(image)
        level = 1 / 255 / min(trained.config["std"])
        torch.testing.assert_close(found, wanted, rtol=0, atol=1.01 * level)


class _Hub:
    """The methods of huggingface_hub.HfApi that a push calls; a file goes where a download would put it."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    def create_repo(self, repo_id: str, **_: Any) -> Any:
        return SimpleNamespace(repo_id=repo_id)

    def file_exists(self, **_: Any) -> bool:
        return False

    def upload_folder(self, repo_id: str, folder_path: str, **_: Any) -> None:
        repository = self.cache / f"models--{repo_id.replace('/', '--')}"
        shutil.copytree(folder_path, repository / "snapshots" / "abc")
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("abc")


def test_names_of_classes_survive_a_push_to_the_hub(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("timm.models._hub.HfApi", lambda **_: _Hub(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert trained.class_names == CLASSES
    push_to_hf_hub(trained.model, "me/photos")  # names come with the loaded model
    push_to_hf_hub(trained.model, "me/german", model_config={"label_names": ["hell", "dunkel"]})
    image = np.full((8, 8, 3), 99, np.uint8)
    assert vision.load("hf-hub:me/german").class_names == ("hell", "dunkel")
    pushed = vision.load("hf-hub:me/photos")
    assert pushed.class_names == CLASSES and pushed.predict(image) == trained.predict(image)
    with pytest.raises(ValueError, match=r"me/nothing") as caught:
        vision.load("hf-hub:me/nothing")
    assert "\n" not in str(caught.value)


def test_a_loaded_model_saved_again_by_timm_keeps_its_names(trained, tmp_path):
    save_for_hf(trained.model, str(tmp_path), safe_serialization=True)
    assert vision.load(tmp_path).class_names == CLASSES


@pytest.fixture
def cnn_folder(tmp_path) -> Path:
    """A CNN with batch norm, for images of any size; its folder."""
    model = timm.create_model("plain_cnn", channels=(4, 6, 8))
    images: dict[str, Any] = {"input_size": (3, 8, 8), "mean": (0.3, 0.5, 0.7), "std": (0.5,) * 3}
    save_model(model, tmp_path / "cnn", arguments={"channels": [4, 6, 8]}, **images)
    return tmp_path / "cnn"


def test_a_model_saved_again_is_for_the_images_that_it_was_loaded_for(cnn_folder, tmp_path):
    loaded = vision.load(cnn_folder, img_size=(20, 12), in_chans=1)
    save_for_hf(loaded.model, str(tmp_path / "again"), safe_serialization=True)
    again = vision.load(tmp_path / "again")
    assert again.config == loaded.config and again.config["input_size"] == (1, 20, 12)
    image = np.random.default_rng(0).integers(0, 256, (33, 27), np.uint8)
    assert again.predict(image) == loaded.predict(image)


def test_how_images_are_read_can_be_saved_again_too(trained, photos, tmp_path):
    config = {"label_names": ["hell", "dunkel"], "decoding": asdict(trained.reading)}
    save_for_hf(trained.model, str(tmp_path), safe_serialization=True, model_config=config)
    again = vision.load(tmp_path)
    assert again.reading == trained.reading and again.class_names == ("hell", "dunkel")
    deep = photos / "bright" / "00.png"
    assert again.predict(deep).probabilities == trained.predict(deep).probabilities


def test_a_model_in_training_predicts_in_evaluation_mode(cnn_folder):
    trained = vision.load(cnn_folder)
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    expected, before = trained.predict(image), copy.deepcopy(trained.model.state_dict())
    model: Any = trained.model.train()
    model.stages[0].eval()
    assert trained.predict(image) == expected
    assert [stage.training for stage in model.stages] == [False, True, True]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_other_channels_sizes_and_classes(photo_run, trained):
    other = vision.load(photo_run, in_chans=1, img_size=12, num_classes=5)
    assert other.config["input_size"] == (1, 12, 12) and len(other.class_names) == 5
    assert len(other.predict(np.zeros((30, 20), np.uint8)).names) == 5
    assert other.config["mean"] == (pytest.approx(sum(trained.config["mean"]) / 3),)


def test_a_model_of_timm_gets_timms_transform_and_names_of_imagenet(tmp_path):
    model = timm.create_model("test_resnet", num_classes=1000).eval()
    save_for_hf(model, str(tmp_path), safe_serialization=True)
    loaded = vision.load(f"local-dir:{tmp_path}")
    assert loaded.class_names[281] == "tabby, tabby cat"
    save_for_hf(timm.create_model("test_resnet", num_classes=10), str(tmp_path / "ten"))
    new_head = vision.load(f"local-dir:{tmp_path / 'ten'}", num_classes=1000)
    (tmp_path / "ten" / "config.json").write_text('{"architecture": "test_resnet", "num_classes": 10}')
    assert vision.load(tmp_path / "ten").config["mean"] == IMAGENET_DEFAULT_MEAN
    assert new_head.class_names[281] == "class 281"
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 180, 3), np.uint8))
    with torch.no_grad():
        expected = model(loaded.transform(image)[None]).softmax(1)[0]
    assert loaded.predict(image).probability == pytest.approx(float(expected.max()), rel=1e-4)


def test_a_run_of_an_earlier_version_has_its_names_in_the_record(photo_run, tmp_path):
    old = tmp_path / "s0"
    shutil.copytree(photo_run, old)
    config = json.loads((old / "config.json").read_text())
    del config["label_names"], config["decoding"]
    (old / "config.json").write_text(json.dumps(config))
    assert vision.load(old).class_names == CLASSES


def test_what_is_no_image_is_one_sentence(trained, photos, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not an image")
    for wrong, message in (
        (text, r"notes\.png is not an image that can be read: cannot identify"),
        (photos, r"image .* is a folder; give the paths of its images, or use `vision predict`"),
        (tmp_path / "gone.png", r"gone\.png does not exist; give a path, a PIL image, an array or a tensor"),
        (object(), "image 0 must be a path, a PIL image, an array or a tensor.*, got object"),
        ([np.zeros((8, 8, 3), np.uint8), 7], "image 1 must be a path, .* got int"),
        (np.zeros((2, 8, 8), np.uint8), "the model takes images of 3 channels, got one of 2"),
        (np.zeros((5, 8, 8), np.uint8), r"image 0 must be \(H, W\), .* got the shape \(5, 8, 8\); a batch"),
        (np.zeros((0, 8), np.uint8), r"image 0: pixels must be uint8 .* got the shape \(1, 0, 8\)"),
        (np.full((8, 8), 99.5), r"pixels must be uint8 .* got float64 from 99.5 .*: scale them to integers"),
        (np.full((8, 8), -3.0), r"pixels must be uint8 .* got float64 from -3 to -3"),
    ):
        with pytest.raises(ValueError, match=message):
            trained.predict(wrong)
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        trained.predict(photos / "bright" / "04.png", top=0)


def test_images_of_many_channels_are_not_taken_for_a_batch(photo_run):
    six = vision.load(photo_run, in_chans=6)
    image = np.random.default_rng(0).integers(0, 256, (6, 9, 7), np.uint8)
    expected = six.predict(image)
    assert six.predict(image[None]) == [expected]
    last = np.moveaxis(image, 0, -1)
    assert six.predict(last) == expected and six.predict(last[None]) == [expected]
    assert six.predict(torch.from_numpy(last.copy())) == expected
    with pytest.raises(ValueError, match=r"image 0 must be \(H, W\), .* got the shape \(7, 9, 7\)"):
        six.predict(image[[0, *range(6)]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_chans": 0}, "in_chans must be an integer of at least 1, got 0"),
        ({"in_chans": "3"}, "in_chans must be an integer of at least 1, got '3'"),
        ({"num_classes": -1}, "num_classes must be an integer of at least 0, got -1"),
        ({"num_classes": 2.5}, "num_classes must be an integer of at least 0, got 2.5"),
        ({"img_size": 0}, "img_size must be a number of pixels, or height and width, got 0"),
        ({"img_size": (8, 8, 8)}, r"img_size must be a number of pixels.*, got \(8, 8, 8\)"),
        ({"img_sise": 8}, r"s0 cannot be loaded with {'img_sise': 8}: .*no argument img_sise; did you mean"),
        ({"embed_dim": 7}, r"s0 cannot be loaded with {'embed_dim': 7}: .*size mismatch"),
        ({"device": "gpu"}, "device must be one of this machine, such as cpu, got 'gpu': Expected one of"),
    ],
)
def test_what_does_not_fit_a_model_is_one_sentence(photo_run, changes: dict[str, Any], message):
    with pytest.raises(ValueError, match=message) as caught:
        vision.load(photo_run, **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "shape"), [({"num_classes": 0}, r"\(\d+,\)"), ({"global_pool": ""}, r"\(16, 2\)")]
)
def test_a_model_without_a_number_for_each_class_does_not_predict(
    photo_run, photos, changes: dict[str, Any], shape
):
    with pytest.raises(ValueError, match=f"a model predicts with a number for each class, got {shape} for"):
        vision.load(photo_run, **changes).predict(photos / "bright" / "04.png")


def test_a_batch_without_images_is_refused(trained, photos):
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        trained.predict(photos / "bright" / "04.png", batch_size=0)


def test_a_cnn_is_loaded_for_images_of_any_size(cnn_folder):
    loaded = vision.load(cnn_folder, img_size=(20, 12))
    assert loaded.config["input_size"] == (3, 20, 12)
    assert loaded.prepare(torch.zeros(3, 9, 9, dtype=torch.uint8)).shape == (3, 20, 12)


def test_what_is_no_model_is_one_sentence(photo_run, tmp_path):
    shutil.copytree(photo_run, tmp_path / "s0")
    (tmp_path / "s0" / "model.safetensors").unlink()
    with pytest.raises(
        ValueError, match=r"s0 holds no model\.safetensors; give the folder of a finished run"
    ):
        vision.load(tmp_path / "s0")
    (tmp_path / "s0" / "result.json").unlink()  # with the checksums of the files
    (tmp_path / "s0" / "config.json").write_text("{}")
    (tmp_path / "s0" / "model.safetensors").touch()
    with pytest.raises(ValueError, match=r"config\.json is not a config that timm has written"):
        vision.load(tmp_path / "s0")
    (tmp_path / "s0" / "config.json").write_text('{"architecture": "my_net", "num_classes": 2}')
    with pytest.raises(
        ValueError, match=r"'my_net', which is not in timm's registry; for one of your own, im"
    ):
        vision.load(tmp_path / "s0")
    with pytest.raises(
        ValueError, match=r"nowhere does not exist; give the folder of a finished run, local-dir"
    ):
        vision.load(Path("nowhere"))
