"""Paths of any letters on the command line."""

import numpy as np
import pytest
from PIL import Image

from vision.cli.train.path_arguments import quoted_paths

NAMES = (
    "with space",
    "a=b",
    "a,b",
    "(1)",
    "50%",
    "it's",
    "ünï",
    "数据",
    "a#b",
    "x{y}",
    "[1]",
    "a&b",
    "~x",
    "-d",
    "back\\slash",
    "end\\",
)


def test_paths_that_hydra_reads_stay_and_others_are_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    same = [
        "data.root=d/plain",
        "data.root='d/a=b'",
        "data.root=../x",
        "seed=0,1",
        "-m",
        "data.root=${oc.env:X}",
    ]
    assert quoted_paths(same) == same
    assert quoted_paths(["-m", "data.root=a,b"]) == ["-m", "data.root=a,b"]  # two roots of a sweep
    assert quoted_paths(["data.root=a,b"]) == ["data.root='a,b'"]
    (tmp_path / "a,b").mkdir()
    assert quoted_paths(["-m", "data.root=a,b"]) == ["-m", "data.root='a,b'"]
    assert quoted_paths(["data.root=a,b", "output_dir=d/it's"]) == [
        "data.root='a,b'",
        r"output_dir='d/it\'s'",
    ]
    assert quoted_paths(["output_dir=~/runs"]) == ["output_dir=/home/me/runs"]
    none = ["output_dir=null", "-m", "model.init_from=null"]
    assert quoted_paths(none) == none, "not a folder of that name"


def test_a_path_in_a_file_may_begin_with_the_home_folder(tmp_path, vision):
    (tmp_path / "mine/experiment").mkdir(parents=True)
    settings = "output_dir: ~/runs\ndata: {root: ~/photos}\nmodel: {init_from: ~}\nsweep: ~x"
    (tmp_path / "mine/experiment/at_home.yaml").write_text(f"# @package _global_\n{settings}\n")
    words = ["train", "--cfg", "job", "experiment=at_home", "--config-dir", "mine"]
    printed = vision(tmp_path, *words, HOME="/home/me").stdout.splitlines()
    assert {"output_dir: /home/me/runs", "  root: /home/me/photos", "sweep: ~x"} <= set(printed)
    assert "  init_from: null" in printed, "as YAML reads a ~ alone"


@pytest.mark.slow
def test_a_folder_of_any_name_is_read(tmp_path, vision):
    random = np.random.default_rng(0)
    for name in NAMES:
        for label in ("cat", "dog"):
            folder = tmp_path / "d" / name / label
            folder.mkdir(parents=True)
            for index in range(10):
                Image.fromarray(random.integers(0, 255, (8, 8), np.uint8)).save(folder / f"{index}.png")
    settings = [
        "debug=tiny",
        "data=image_folder",
        "model=cnn",
        "model.kwargs.params=20000",
        "training.steps=1",
    ]
    for number, name in enumerate(NAMES):
        done = vision(tmp_path, "train", *settings, f"data.root=d/{name}", f"output_dir=out/{name}/{number}")
        assert done.returncode == 0, (name, done.stderr)
        assert list((tmp_path / "out" / name / str(number)).glob("runs/CNN/*/s0/result.json")), name
