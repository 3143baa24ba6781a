"""scripts/study.py: search, both budgets, pages and the figure; run again, it trains nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "study.py"
TINY = ("digits", "debug=tiny", "training.threads=1", "model=cnn,vit", "model.kwargs.params=20000")


def study(folder: Path, *settings: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPT), *settings]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=250)


@pytest.mark.slow
def test_the_study_from_nothing_and_again(tmp_path):
    done = study(tmp_path, *TINY)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "outputs" / "tiny" / "study-digits"
    recipes = json.loads((out / "recipes.json").read_text())
    assert set(recipes) == {"cnn", "vit"}
    for model, label in (("cnn", "CNN"), ("vit", "ViT")):
        found = list((out.parent / "study-digits-search" / model).rglob("result.json"))
        assert len(found) == 12, "three learning rates, two weight decays, two seeds"
        for budget in ("steps", "epochs"):
            for size in (20, 40):
                record = json.loads((out / budget / label / f"n{size}" / "s0" / "result.json").read_text())
                assert {name: record["settings"][name] for name in recipes[model]} == recipes[model]
    for file in ("steps/report.html", "epochs/report.html", "accuracy.png", "accuracy.pdf"):
        assert (out / file).stat().st_size > 1000
    again = study(tmp_path, *TINY)
    assert again.returncode == 0 and "There is one seed only" in again.stdout
    assert set(re.findall(r"(\d+) to do", again.stderr)) == {"0"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["output_dir", "out"])
def test_known_recipes_are_not_searched(tmp_path, name):
    recipes = {"vit": {"training.lr": 0.003, "training.weight_decay": 0.1}}
    (tmp_path / "recipes.json").write_text(json.dumps(recipes))
    done = study(
        tmp_path, *TINY[:3], "model=vit", "train_size=20", f"{name}=here", "--recipes", "recipes.json"
    )
    assert done.returncode == 0, done.stderr
    out = tmp_path / "here"
    assert (out / "study-digits" / "epochs" / "report.html").is_file()
    assert [folder.name for folder in out.iterdir()] == ["study-digits"]
    record = json.loads((out / "study-digits/steps/ViT/n20/s0/result.json").read_text())
    assert {name: record["settings"][name] for name in recipes["vit"]} == recipes["vit"]


@pytest.mark.slow
@pytest.mark.parametrize("text", [None, "[1]", '{"vit": {"training.lr": 0.1}}', "lr: 0.1"])
def test_a_wrong_file_of_recipes_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "r.json").write_text(text)
    refused = study(tmp_path, *TINY, "--recipes", "r.json")
    assert refused.returncode == 1
    assert "--recipes r.json must give for each model training.lr and training.weight_de" in refused.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.slow
def test_a_wrong_setting_stops_it_before_any_run(tmp_path):
    refused = study(tmp_path, *TINY, "training.lrr=1")
    assert refused.returncode != 0 and "training.lrr" in refused.stderr
    assert not (tmp_path / "outputs").exists()
