"""The example of own parts: each file is short, and the README's commands train with every one of them."""

import csv
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import Done
from PIL import Image

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_parts"
MOST_LINES = 20


def commands() -> list[list[str]]:
    (block,) = re.findall(r"^```\n(.*?)^```", (EXAMPLE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return [
        shlex.split(line)[1:] for line in block.replace("\\\n", "").splitlines() if line.startswith("vision ")
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, program: Callable[..., Done]) -> Path:
    """A copy of the example in which the README's commands have been run, each run with 4 steps."""
    folder = tmp_path_factory.mktemp("own") / "parts"
    shutil.copytree(EXAMPLE, folder, ignore=lambda *_: ["outputs", "__pycache__"])
    for words in commands():
        more = ["training.steps=4", "training.threads=1"] if words[0] == "train" else []
        done = program(folder, "vision", *words, *more)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def record(folder: Path, label: str, size: int) -> dict:
    return json.loads((folder / f"outputs/runs/{label}/n{size}/s0/result.json").read_text())


def test_every_part_is_a_short_file_with_a_short_file_of_settings():
    parts = {path.stem: path for path in EXAMPLE.glob("*.py")}
    settings = {path.stem: path for path in EXAMPLE.glob("conf/*/*.yaml")}
    kinds = {"my_data", "my_augmentation", "my_model", "my_mixer", "my_field", "my_metric", "my_callback"}
    assert set(parts) == set(settings) == kinds
    for path in (*parts.values(), *settings.values()):
        assert len(path.read_text().splitlines()) <= MOST_LINES, path


@pytest.mark.slow
def test_own_models_mixers_fields_and_data_train_together(trained):
    records = {label: record(trained, label, 200) for label in ("mine", "axial", "knight", "CNN")}
    assert {r["data"] for r in records.values()} == {"digit_pairs"}
    assert {r["n_test"] for r in records.values()} == {1000}
    assert len({r["subset_sha256"] for r in records.values()}) == 1
    assert records["mine"]["params"] == 16 * 9 + 16 + 256 * 3 + 3
    assert all(abs(records[label]["params"] - 210_000) <= 4200 for label in ("axial", "knight"))
    assert records["knight"]["model_arguments"]["mixer_options"]["field"] == "my_field:knight"


@pytest.mark.slow
def test_the_metric_is_that_of_the_predictions_and_can_be_plotted(trained):
    import numpy as np
    from sklearn.metrics import balanced_accuracy_score

    for label in ("mine", "CNN"):
        folder = trained / f"outputs/runs/{label}/n200/s0"
        labels, predicted = (np.load(folder / f"test_{name}.npy") for name in ("labels", "predictions"))
        wanted = balanced_accuracy_score(labels, predicted)
        assert record(trained, label, 200)["metrics"]["balanced_accuracy"] == pytest.approx(wanted)
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert all(0 <= line["val_balanced_accuracy"] <= 1 for line in lines)
    with (trained / "outputs/runs/curves.csv").open(newline="") as file:
        means = {row["label"]: float(row["mean"]) for row in csv.DictReader(file)}
    assert means["CNN"] == pytest.approx(record(trained, "CNN", 200)["metrics"]["balanced_accuracy"])


@pytest.mark.slow
def test_the_callback_has_written_a_line_for_each_validation(trained):
    folder = trained / "outputs/runs/ViT/n100/s0"
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    with (folder / "weight_norm.csv").open(newline="") as file:
        written = [(int(step), float(norm)) for step, norm in csv.reader(file)]
    assert [step for step, _ in written] == [line["step"] for line in lines]
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors").values()
    norm = torch.cat([weight.flatten().double() for weight in weights]).norm()
    assert written[-1][1] == pytest.approx(float(norm), rel=1e-5)


@pytest.mark.slow
def test_a_saved_model_with_own_parts_loads_where_their_modules_are_imported(trained, program):
    code = """
import sys
import timm, torch, vision

def load(label):
    model = timm.create_model(f"local-dir:outputs/runs/{label}/n200/s0", pretrained=True)
    print(label, tuple(model(torch.zeros(1, 1, 8, 16)).shape))

try:
    load("knight")
except Exception as error:
    print(error)
sys.path.append(".")
import my_model, my_mixer, my_field
for label in ("mine", "axial", "knight"):
    load(label)
"""
    done = program(trained, "python", "-c", code)
    assert done.returncode == 0, done.stderr
    refused, *loaded = done.stdout.splitlines()
    assert "import my_field first" in refused
    assert loaded == [f"{label} (1, 3)" for label in ("mine", "axial", "knight")]


@pytest.mark.slow
def test_commands_take_models_with_own_parts_by_their_modules(trained, program):
    image, pixels = trained / "image.png", torch.arange(0, 256, 2, dtype=torch.uint8).view(8, 16)
    Image.fromarray(pixels.numpy()).save(image)
    for label, module in (("mine", "my_model"), ("axial", "my_mixer"), ("knight", "my_field")):
        words = ["predict", f"outputs/runs/{label}/n200/s0", "image.png"]
        refused = program(trained, "vision", *words)
        assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and "import" in refused.stderr
        done = program(trained, "vision", *words, "--module", module)
        assert done.returncode == 0, done.stderr
        assert re.match(r"image.png: \w+ 0\.\d{3}", done.stdout)
    more = ["--module", "my_model", "--module", "my_mixer", "--module", "my_field", "--images", "50"]
    done = program(trained, "vision", "evaluate", "outputs/runs", "--with", "calibration", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    absent = program(trained, "vision", *words, "--module", "my_absent")
    assert absent.returncode == 2 and "--module must be a module that Python can import" in absent.stderr


WRONG = {
    "training.metrics=[os:system]": "training.metrics must name a function in a module of yours",
    "training.metrics=[my_metric]": "training.metrics must be MODULE:NAME",
    "training.metrics=[my_metric:accuracy]": "my_metric defines no function or class accuracy",
    "training.metrics=[my_broken:text]": "training.metrics: text must return a number, got str",
    "training.metrics=[my_broken:fails]": "cannot be called: IndexError: no such class",
    "training.callbacks=[shutil:rmtree]": "training.callbacks must name a function in a module of yours",
    "data.augment.policy=torch:load": "data.augment.policy must name a function in a module of yours",
    "data.augment.policy=my_broken:crop": "must return an image of torch.uint8 (1, 8, 8), got",
    "+model.kwargs.mixer_options.field=my_absent:field": "must be a module that Python can import",
    "+model.kwargs.mixer_options.field=os:system": "mixer_options.field must name a function in a module of",
    "+model.kwargs.mixer_options.field=my_metric:balanced_accuracy": "must be annotated with what it returns",
}
BROKEN = """
def text(logits, labels): return "good"
def fails(logits, labels): raise IndexError("no such class")
def crop(image): return image[:, 2:6, 2:6]
"""


@pytest.fixture
def folder_of_modules(tmp_path, monkeypatch):
    shutil.copy(EXAMPLE / "my_metric.py", tmp_path)
    (tmp_path / "my_broken.py").write_text(BROKEN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in ("my_metric", "my_broken"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("setting", WRONG)
def test_what_cannot_work_is_refused_before_training(setting, folder_of_modules, capsys):
    from vision.cli import main

    with pytest.raises(SystemExit, match="2"):
        main(["train", "debug=tiny", setting])
    shown = capsys.readouterr().err
    assert WRONG[setting] in shown and len(shown.strip().splitlines()) == 1, shown
    assert not list(folder_of_modules.glob("outputs/*/*/*/*/result.json"))


def test_a_module_of_another_package_can_be_allowed(monkeypatch):
    from vision.config import import_named

    with pytest.raises(ValueError, match="VISION_ALLOWED_TARGETS in the environment"):
        import_named("training.metrics", "sklearn.metrics:accuracy_score")
    monkeypatch.setenv("VISION_ALLOWED_TARGETS", "a.b,torch.nn.functional")
    assert import_named("training.metrics", "torch.nn.functional:cross_entropy").__name__ == "cross_entropy"


def test_a_callback_can_stop_the_training(small_run, tmp_path, monkeypatch):
    from dataclasses import replace

    from vision.experiment import run

    (tmp_path / "my_stop.py").write_text("def stop(model, line, folder): return line['step'] >= 8")
    monkeypatch.syspath_prepend(tmp_path)
    training = replace(small_run.training, callbacks=["my_stop:stop"])
    assert run(replace(small_run, training=training))["steps"] == 8
