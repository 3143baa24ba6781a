"""A converted model that is saved and loaded is the same model, bit by bit."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_cnn import SIZE, Small, images
from torch import Tensor, nn
from torch.nn import functional as F

import vision
from vision import models
from vision.convert import attention_layers, save_converted, set_explicit_attention
from vision.convert import saved as converted_files
from vision.models.sources import find_model

# Converted models and their layers have attributes that nn.Module does not declare.
as_attention: Any = vision.as_attention
load_converted: Any = vision.load_converted
build_model: Any = models.build_model


def logits(model: nn.Module, x: Tensor) -> list[Tensor]:
    """By torch's operations and as explicit attention."""
    with torch.no_grad():
        return [set_explicit_attention(model, explicit)(x) for explicit in (False, True)]


def assert_same(one: nn.Module, other: nn.Module, x: Tensor) -> None:
    for a, b in zip(logits(one, x), logits(other, x), strict=True):
        assert a.dtype == b.dtype and torch.equal(a, b)


def lower_rank(model: Small, rank: int) -> Small:
    """Kernels that are mixtures of `rank` positive patterns, which so many heads can make."""
    generator = torch.Generator().manual_seed(7)
    for conv in (model.conv, model.twice):
        outputs, inputs, *kernel = conv.weight.shape
        patterns = torch.rand(rank, *kernel, generator=generator) + 0.1
        mixture = torch.randn(outputs, inputs, rank, generator=generator)
        conv.weight.data = torch.einsum("oir,rhw->oihw", mixture, patterns)
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("heads", ["kernel", "min"])
def test_a_saved_model_comes_back_bit_by_bit(tmp_path, heads, dtype):
    converted = as_attention(lower_rank(Small(0), 2).to(dtype).eval(), SIZE, heads)
    save_converted(converted, tmp_path / "c")
    skeleton = Small(5)
    before = {name: value.clone() for name, value in skeleton.state_dict().items()}
    loaded = load_converted(tmp_path / "c", skeleton)
    assert_same(converted, loaded, images(dtype))
    assert not torch.equal(logits(loaded, images(dtype))[0].float(), skeleton.eval()(images()))
    assert loaded.conversion == converted.conversion
    assert all(torch.equal(value, before[name]) for name, value in skeleton.state_dict().items())


class Earlier(nn.Module):
    """The model of the folders in format_1, which an earlier version of this package wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.BatchNorm2d(2)
        self.pre, self.depthwise = nn.BatchNorm2d(2), nn.Conv2d(2, 2, 3, padding=1, groups=2)
        self.pool, self.up = nn.MaxPool2d(2), nn.Upsample(scale_factor=2)
        self.unused = nn.Conv2d(1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pre(F.relu(self.norm(self.conv(x))))
        return F.avg_pool2d(self.up(self.pool(self.depthwise(x))), 2)


@pytest.mark.parametrize("heads", ["kernel", "min"])
def test_a_folder_of_an_earlier_version_still_loads(heads):
    folder = Path(__file__).parent / "format_1"
    loaded = load_converted(folder / heads, Earlier())
    wanted = torch.tensor(json.loads((folder / "outputs.json").read_text())).view(2, 2, 3, 3)
    for output in logits(loaded, images(size=12, channels=1)):
        torch.testing.assert_close(output, wanted, rtol=1e-4, atol=1e-5)
    assert loaded.conversion.settings["heads"] == heads and loaded.conversion.folded == {"conv": "norm"}
    assert (loaded.conversion.kept, loaded.conversion.idle) == (["pre"], ["unused"])


def test_the_number_of_heads_comes_from_the_file(tmp_path):
    converted = as_attention(lower_rank(Small(0), 2).eval(), SIZE, "min")
    counts = {name: layer.num_heads for name, layer in attention_layers(converted)}
    assert counts["conv"] in (2, 3) and counts["twice"] in (2, 3)
    others = dict(attention_layers(as_attention(Small(5).eval(), SIZE, "min")))
    assert others["conv"].num_heads > 3, "the skeleton's own weights need more heads, or this tests nothing"
    save_converted(converted, tmp_path / "c")
    loaded = load_converted(tmp_path / "c", Small(5))
    assert {name: layer.num_heads for name, layer in attention_layers(loaded)} == counts
    rows = json.loads((tmp_path / "c/conversion.json").read_text())["report"]["rows"]
    assert {row["name"]: row["heads"] for row in rows} == counts


@pytest.mark.slow
@pytest.mark.parametrize("heads", ["kernel", "min"])
@pytest.mark.parametrize("name", ["resnet10t", "torchvision/squeezenet1_1", "field_cnn"])
def test_a_name_is_enough_to_rebuild(tmp_path, name, heads):
    found = find_model(name, img_size=32, num_classes=5)
    converted = as_attention(build_model(found.name, **found.arguments).eval(), 32, heads)
    source = {"name": found.name, "arguments": found.arguments}
    save_converted(converted, tmp_path / "c", source=source)
    assert_same(converted, load_converted(tmp_path / "c"), images(size=32))


def test_the_layout_in_memory_is_kept(tmp_path):
    model = Small(0).eval().to(memory_format=torch.channels_last)
    converted = as_attention(model, SIZE)
    assert not converted.twice.weight.is_contiguous()
    save_converted(converted, tmp_path / "c")
    loaded = load_converted(tmp_path / "c", Small(5))
    assert loaded.twice.weight.stride() == converted.twice.weight.stride()
    assert_same(converted, loaded, images().to(memory_format=torch.channels_last))


def test_a_shared_layer_is_written_once_and_shared_again(tmp_path):
    converted = as_attention(Small(0).eval(), SIZE)
    save_converted(converted, tmp_path / "c")
    names = load_file(tmp_path / "c/model.safetensors").keys()
    assert "twice.weight" in names and "again.weight" not in names
    loaded = load_converted(tmp_path / "c", Small(5))
    assert loaded.twice is loaded.again and loaded.twice.weight is loaded.again.weight


def test_mixed_types_and_batch_norms_in_training_mode_are_kept(tmp_path):
    model = Small(0).eval()
    model.norm.train()
    converted = as_attention(model, SIZE).eval()
    assert [one.name for one in converted.conversion.left] == ["norm"]
    converted.head.weight.data = converted.head.weight.data.double()
    save_converted(converted, tmp_path / "c")
    loaded = load_converted(tmp_path / "c", Small(5))
    assert loaded.head.weight.dtype == torch.float64 and loaded.head.bias.dtype == torch.float32
    assert isinstance(loaded.norm, nn.BatchNorm2d)
    for name, value in converted.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])


def test_another_folder_is_never_overwritten_and_the_same_is_left_alone(tmp_path):
    folder = tmp_path / "c"
    converted = as_attention(Small(0).eval(), SIZE)
    save_converted(converted, folder)
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    save_converted(converted, folder)
    for model, size, word in ((Small(1), SIZE, "other weights"), (Small(0), 2 * SIZE, "report")):
        with pytest.raises(ValueError, match=f"nothing was changed.*{word}"):
            save_converted(as_attention(model.eval(), size), folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.txt").write_text("kept")
    with pytest.raises(ValueError, match="not a converted model"):
        save_converted(converted, tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["mine.txt"]


def test_a_folder_is_whole_or_absent(tmp_path, monkeypatch):
    def fail(*args: object, **kwargs: object) -> bytes:
        raise OSError("no space left")

    monkeypatch.setattr(converted_files, "save", fail)
    with pytest.raises(OSError, match="no space"):
        save_converted(as_attention(Small(0).eval(), SIZE), tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_errors_of_saving_and_loading_name_the_reason(tmp_path):
    with pytest.raises(ValueError, match=r"must be the result of vision\.as_attention, got Small"):
        save_converted(Small(0), tmp_path / "c")
    converted = as_attention(Small(0).eval(), SIZE)
    with pytest.raises(ValueError, match="plain numbers"):
        save_converted(converted, tmp_path / "c", source={"name": torch.zeros(1)})
    with pytest.raises(FileNotFoundError, match=r"no conversion\.json"):
        load_converted(tmp_path)
    save_converted(converted, tmp_path / "c")
    with pytest.raises(ValueError, match="give the architecture"):
        load_converted(tmp_path / "c")
    with pytest.raises(ValueError, match=r"of another shape: conv\.weight is \(6, .* and \(8, "):
        load_converted(tmp_path / "c", Small(5, width=6))
    with pytest.raises(ValueError, match=r"another model.*\('0', 'convolution', '3x3'\)"):
        load_converted(tmp_path / "c", nn.Sequential(nn.Conv2d(3, 4, 3)))
    path = tmp_path / "c/conversion.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(ValueError, match="format 1, got 99"):
        load_converted(tmp_path / "c", Small(5))
