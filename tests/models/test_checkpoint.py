"""Weights from files: read from the folders that training writes, and refused where they do not fit."""

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vision.models.checkpoint import load_checkpoint


def wrapped(kind: str, state: dict[str, Tensor]) -> dict:
    garbage = {name: torch.zeros(1) for name in state}
    parallel = {f"module.{name}": value for name, value in state.items()}
    return {
        "bare": state,
        "state_dict": {"state_dict": state, "epoch": 3},
        "model": {"model": parallel, "optimizer": {}},
        "model_ema": {"model": garbage, "model_ema": state},
    }[kind]


@pytest.mark.parametrize("kind", ["bare", "state_dict", "model", "model_ema", "safetensors"])
def test_weights_are_read_from_the_files_of_training(tmp_path, kind):
    trained, model = timm.create_model("resnet10t"), timm.create_model("resnet10t")
    file = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        save_file(trained.state_dict(), file)
    else:
        torch.save(wrapped(kind, trained.state_dict()), file)
    load_checkpoint(model, file)
    for name, value in model.state_dict().items():
        assert torch.equal(value, trained.state_dict()[name]), name


def test_weights_of_another_model_are_refused_by_name(tmp_path):
    model = timm.create_model("resnet10t", num_classes=10)
    torch.save(timm.create_model("resnet10t").state_dict(), tmp_path / "w.pth")
    shapes = r"2 of another shape: fc\.weight is \(10, 512\) in the model and \(1000, 512\) in the file"
    with pytest.raises(ValueError, match=f"{shapes}.*has 1000 classes.*--classes"):
        load_checkpoint(model, tmp_path / "w.pth")
    state = model.state_dict()
    del state["conv1.0.weight"]
    torch.save({**state, "extra": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"1 missing: conv1\.0\.weight; 1 unexpected: extra$"):
        load_checkpoint(model, tmp_path / "w.pth")
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"\d+ missing: conv1\.0\.weight(, [\w.]+){4} and \d+ more;"):
        load_checkpoint(model, tmp_path / "w.pth")


def test_a_file_that_would_run_code_or_holds_no_weights_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "whole.pth")
    with pytest.raises(ValueError, match="cannot be read as weights; save them with"):
        load_checkpoint(nn.Linear(2, 2), tmp_path / "whole.pth")
    torch.save({"state_dict": {}, "epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(ValueError, match="must hold a state_dict"):
        load_checkpoint(nn.Linear(2, 2), tmp_path / "empty.pth")
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(ValueError, match=r"save them with safetensors\.torch\.save_file\(model"):
        load_checkpoint(nn.Linear(2, 2), tmp_path / "text.safetensors")
    with pytest.raises(FileNotFoundError, match="is not a file"):
        load_checkpoint(nn.Linear(2, 2), tmp_path / "none.pth")
