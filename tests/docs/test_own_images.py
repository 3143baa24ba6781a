"""From own images to another project: the commands and the code of README and docs/reuse.md, as they stand.

They run one after the other in a folder with two small data sets of one's own. Training takes fewer steps.
"""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from code_blocks import ROOT, Block, blocks, commands
from commands import Done
from PIL import Image

import vision

pytestmark = pytest.mark.slow
RUN = "outputs/runs/CNN/nall/s0"
STEPS = ["training.steps=40", "training.threads=1"]


def write_class(folder: Path, brightness: int, *, count: int, mode: str) -> None:
    """Write images of a class that differ in size and format."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(brightness)
    for number in range(count):
        height, width = random.integers(32, 64, 2)
        pixels = np.clip(random.normal(brightness, 40, (height, width, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{number:02}.{('png', 'jpg')[number % 2]}")


def run_block(program: Callable[..., Done], block: Block, folder: Path) -> str:
    """Run a block in a folder, as a user does, and return what it prints."""
    printed = ""
    for words in commands(block) if not block.language else [["python", "-c", block.text]]:
        if words[0] == "pip":
            continue  # test_shell_blocks.py looks at what is installed
        more = STEPS if words[:2] == ["vision", "train"] else []
        done = program(folder, *words, *more)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        printed += done.stdout + done.stderr
    return printed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    for name, brightness in (("dim", 40), ("middle", 128), ("bright", 215)):
        write_class(folder / "photos" / name, brightness, count=20, mode="RGB")
    for name, brightness in (("black", 30), ("white", 225)):
        write_class(folder / "scans" / name, brightness, count=15, mode="L")
    Image.open(folder / "scans" / "white" / "00.png").save(folder / "scan.png")
    return folder


@pytest.fixture(scope="module")
def after_readme(folder: Path, program: Callable[..., Done]) -> str:
    """What the blocks of README print."""
    page = blocks(ROOT / "README.md", "## Your own images")
    return "".join(run_block(program, block, folder) for block in page)


def test_readme_trains_predicts_exports_and_fine_tunes(folder, after_readme):
    assert vision.load(folder / RUN).class_names == ("bright", "dim", "middle")
    with (folder / "predictions.csv").open() as file:
        best = [row for row in csv.DictReader(file) if row["rank"] == "1"]
    assert len(best) == 60
    right = sum(Path(row["image"]).parent.name == row["class"] for row in best)
    assert right > 48, right
    assert (folder / "cnn.onnx").stat().st_size > 100_000
    tuned = vision.load(folder / "outputs/scans/CNN/nall/s0")
    assert tuned.class_names == ("black", "white") and tuned.config["input_size"] == (1, 48, 48)
    assert tuned.predict(folder / "scan.png").name == "white"
    assert "bright" in after_readme.splitlines()  # of scan.png, by the code in Python


def test_the_page_on_reuse_runs_as_it_stands(folder, program, after_readme):
    (folder / "cnn.onnx").unlink()
    printed = "".join(run_block(program, block, folder) for block in blocks(ROOT / "docs" / "reuse.md"))
    assert {"cnn.onnx", "cnn.pt2", "tuned"} <= {path.name for path in folder.iterdir()}
    assert any(line.startswith("white ") for line in printed.splitlines())  # by the second project's model
    assert vision.load(folder / "tuned").class_names == ("black", "white")


def test_the_page_on_data_shows_the_folder(folder, program):
    first, *_ = commands(blocks(ROOT / "docs" / "data.md")[0])
    printed = run_block(program, Block("", " ".join(first)), folder)
    assert "48 training images, 12 test images" in printed
