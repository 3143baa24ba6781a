"""scripts/study.py: from nothing; again, when it trains nothing; and on from its tables alone."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

SCRIPT = Path(__file__).parents[2] / "scripts" / "study.py"
TINY = ("digits", "--plan", "tiny", "data.test_size=100", "training.precision=float32")


def study(folder: Path, *arguments: str, workers: int = 1) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *TINY, "--workers", str(workers), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    done = study(folder, "--tables", "tables", workers=2)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_study_from_nothing(finished):
    recipes = yaml.safe_load((finished / "tables" / "tiny-recipes.yaml").read_text())
    assert list(recipes) == ["cnn", "vit"]
    search = pd.read_csv(finished / "tables" / "tiny-search.csv")
    trials = search.groupby("label")["folder"].nunique()
    assert trials["CNN"] == trials["ViT"] >= 20, "ten trials at two sizes, and equally many for both"
    assert set(search["train_size"]) == {20, 40} and (search["n_train"] == search["train_size"]).all()
    assert set(search["n_val"]) == {70, 71}, "a twentieth of the other images"
    records = pd.read_csv(finished / "tables" / "tiny.csv")
    assert len(records) == 6 and (records["n_train"] == records["train_size"]).all()
    for model, label in (("cnn", "CNN"), ("vit", "ViT")):
        runs = records[records["label"] == label]
        assert sorted(zip(runs["train_size"], runs["seed"], strict=True)) == [(20, 0), (20, 1), (40, 0)]
        assert set(runs["training.lr"]) == {recipes[model]["training.lr"]}
        scores = search[search["label"] == label].groupby(search["folder"].str.split("/").str[1])
        best = scores["val_accuracy"].mean().max()
        chosen = search[(search["label"] == label) & (search["training.lr"] == recipes[model]["training.lr"])]
        chosen = chosen[chosen["training.weight_decay"] == recipes[model]["training.weight_decay"]]
        assert chosen["val_accuracy"].mean() == pytest.approx(best)
    assert len(list(finished.rglob("test_logits.npy"))) == 6, "the search keeps none"


@pytest.mark.slow
def test_run_again_it_trains_nothing_even_from_its_tables_alone(finished, tmp_path):
    shutil.copytree(finished / "tables", tmp_path / "tables")
    before = {file.name: file.read_bytes() for file in (tmp_path / "tables").iterdir()}
    listed = study(tmp_path, "--tables", "tables", "--list")
    assert listed.stdout == "tiny: 6 of 6 runs done\n"
    again = study(tmp_path, "--tables", "tables")
    assert again.returncode == 0 and "accuracy" not in again.stdout
    assert {file.name: file.read_bytes() for file in (tmp_path / "tables").iterdir()} == before
    assert not list(tmp_path.rglob("result.json"))


@pytest.mark.slow
def test_a_run_that_is_missing_in_the_table_is_trained(finished, tmp_path):
    shutil.copytree(finished / "tables", tmp_path / "tables")
    file = tmp_path / "tables" / "tiny.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]))
    listed = study(tmp_path, "--tables", "tables", "--list")
    assert "tiny: 5 of 6 runs done, the others take about 0.0 hours" in listed.stdout
    assert study(tmp_path, "--tables", "tables").returncode == 0
    new = file.read_text().splitlines(keepends=True)
    assert new[:-1] == lines[:-1] and new[-1] != lines[-1], "what was there is kept to the byte"
    (result,) = tmp_path.rglob("result.json")
    assert json.loads(result.read_text())["config_sha256"] in lines[-1]


@pytest.mark.slow
def test_known_recipes_are_not_searched(tmp_path):
    recipes = {"vit": {"training.lr": 0.003, "training.weight_decay": 0.1}}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipes))
    done = study(tmp_path, "--models", "vit", "--sizes", "20", "--seeds", "1", "--recipes", "r.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = tmp_path.rglob("result.json")
    settings = json.loads(result.read_text())["settings"]
    assert {name: settings[name] for name in recipes["vit"]} == recipes["vit"]


@pytest.mark.slow
def test_a_signal_ends_it_and_what_has_finished_is_in_the_table(tmp_path):
    command = [sys.executable, str(SCRIPT), *TINY, "--tables", "tables", "--workers", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as going:
        deadline = time.time() + 120
        while len(list(tmp_path.rglob("s0/result.json"))) < 3 and time.time() < deadline:
            time.sleep(0.05)
        going.send_signal(signal.SIGINT)
        assert going.wait(30) == 130
    table = pd.read_csv(tmp_path / "tables" / "tiny-search.csv")
    assert len(table) == len(list(tmp_path.rglob("s0/result.json"))) >= 3


@pytest.mark.slow
def test_without_time_nothing_begins(tmp_path):
    done = study(tmp_path, "--budget-seconds", "5")
    assert done.returncode == 0 and "runs do not fit into the time" in done.stdout
    assert "the search of tiny is not over" in done.stdout and not list(tmp_path.rglob("result.json"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["training.lrr=1"], "training.lrr"),
        (["training.batch_size=0"], "training.batch_size must be at least 1, got 0"),
        (["--recipes", "no.yaml"], "no.yaml must give settings such as training.lr"),
        (["--models", "unet"], "unet is not one of"),
    ],
)
def test_what_is_wrong_is_named_before_any_run(tmp_path, arguments, message):
    refused = study(tmp_path, *arguments)
    assert refused.returncode == 2 and message in refused.stderr and "Traceback" not in refused.stderr
    assert not list(tmp_path.rglob("config.yaml"))
