"""`vision evaluate` on real runs: its rows, what it does not do twice, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vision import results
from vision.cli import main
from vision.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from vision.experiment import run
from vision.results.checksums import seal
from vision.statistics import calibration_bins, expected_calibration_error


def config(out: Path, name: str, label: str, seed: int) -> RunConfig:
    return RunConfig(
        data=DataConfig(name="digits", source="digits", subset_seed=seed, test_size=60),
        model=ModelConfig(name=name, label=label, kwargs={"embed_dim": 8, "depth": 1}),
        training=TrainingConfig(steps=8, batch_size=16, num_evaluations=1, precision="float32"),
        train_size=40,
        seed=seed,
        sweep="small",
        output_dir=str(out),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models with two seeds."""
    out = tmp_path_factory.mktemp("evaluate")
    for name, label in (("field_cnn", "CNN"), ("field_vit", "ViT")):
        for seed in (0, 1):
            run(config(out, name, label, seed))
    return out / "small"


@pytest.fixture
def sweep(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "small")


def table(sweep: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(results.evaluation_file(sweep, name))


@pytest.mark.slow
def test_rows_of_every_run_kind_and_level(sweep, capsys):
    assert main(["evaluate", str(sweep), "--with", "corruptions,occlusion", "--severities", "2,5"]) == 0
    rows = table(sweep, "corruptions")
    assert len(rows) == 4 * (1 + 15 * 2) and set(rows["images"]) == {60}
    assert set(rows[rows["kind"] != "unchanged"]["level"]) == {2, 5}
    unchanged = rows[rows["kind"] == "unchanged"].set_index("folder")
    records = results.collect(sweep).set_index("folder")
    # The stored weights have the accuracy of the record on the same images.
    assert unchanged["accuracy"].to_dict() == pytest.approx(records["test_accuracy"].to_dict())
    assert (unchanged[["kept", "consistency"]] == 1).all(axis=None)
    assert table(sweep, "occlusion").groupby("folder")["level"].agg(list).iloc[0] == [
        0,
        0.1,
        0.3,
        0.5,
        0.7,
        0.9,
    ]
    shown = capsys.readouterr().out
    assert "Accuracy under corruption, CNN against ViT: " in shown
    assert f"wrote {results.evaluation_file(sweep, 'corruptions')}" in shown


def test_what_is_known_is_not_computed_again_and_new_runs_are_added(sweep, monkeypatch):
    gone = sweep / "ViT" / "n40" / "s1"
    kept = shutil.move(gone, sweep.parent / "kept")
    arguments = ["evaluate", str(sweep), "--with", "translations"]
    assert main(arguments) == 0
    first = table(sweep, "translations")
    # A wrong number in the table stays: nothing was computed again.
    first.loc[0, "accuracy"] = 0.123
    first.to_csv(results.evaluation_file(sweep, "translations"), index=False)
    shutil.move(kept, gone)
    assert main(arguments) == 0
    second = table(sweep, "translations")
    assert len(second) == len(first) / 3 * 4 and second["accuracy"][0] == 0.123
    pd.testing.assert_frame_equal(second[: len(first)], first)
    assert set(second[len(first) :]["folder"]) == {"ViT/n40/s1"}


def test_an_evaluation_that_was_cut_goes_on_where_it_was(sweep):
    arguments = ["evaluate", str(sweep), "--with", "translations"]
    assert main(arguments) == 0
    whole = table(sweep, "translations")
    whole[:5].to_csv(results.evaluation_file(sweep, "translations"), index=False)
    assert main(arguments) == 0
    keys, scores = ["folder", "kind", "level"], ["accuracy", "kept", "consistency", "calibration_error"]
    one, other = (
        rows.sort_values(keys)[keys + scores].reset_index(drop=True)
        for rows in (whole, table(sweep, "translations"))
    )
    pd.testing.assert_frame_equal(one, other)


def test_calibration_comes_from_the_logits_without_a_model(sweep):
    run_folder = sweep / "CNN" / "n40" / "s0"
    (run_folder / "config.json").unlink()  # no model can be built
    assert main(["evaluate", str(sweep), "--with", "calibration"]) == 0
    rows = table(sweep, "calibration")
    bins = calibration_bins(
        np.load(run_folder / results.LOGITS).astype(np.float32), np.load(run_folder / results.LABELS)
    )
    own = rows[(rows["folder"] == "CNN/n40/s0") & (rows["kind"] == "equal mass")]
    assert own["images"].sum() == 60 and len(own) == 15
    assert expected_calibration_error(own) == pytest.approx(expected_calibration_error(bins))


def test_probe_and_transfer(sweep):
    arguments = ["evaluate", str(sweep), "--with", "probe,transfer", "--transfer", "data=digits"]
    assert main(arguments) == 0
    rows = table(sweep, "probe")
    assert rows["level"].tolist() == [1, 5, 10, 25] * 4 and set(rows["kind"]) == {"digits"}
    assert (rows["seen"] == 0).all()  # there are enough other images
    assert rows["accuracy"].between(0.1, 1).all()
    assert len(table(sweep, "transfer")) == 16


@pytest.mark.parametrize(
    ("transfer", "message"),
    [
        (["digits"], "--transfer must name one data set, such as data=digits, got digits"),
        (["data=nope"], "data of --transfer must be a folder, a .yaml file of a folder conf/data, or one of"),
    ],
)
def test_wrong_data_of_transfer_are_refused_before_the_other_evaluations(sweep, capsys, transfer, message):
    command = ["evaluate", str(sweep), "--with", "occlusion,transfer", "--transfer", *transfer]
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not results.evaluation_file(sweep, "occlusion").exists()


def test_fewer_images_are_a_stratified_part_of_the_test_images(sweep):
    assert main(["evaluate", str(sweep), "--with", "translations", "--images", "30"]) == 0
    assert set(table(sweep, "translations")["images"]) == {30}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--with", "rain"], "--with must name some of corruptions, shuffled_patches, .*, got 'rain'"),
        (["--severities", "0"], "--severities must be integers from 1 to 5, joined by commas, got '0'"),
        (["--severities", "3,6"], "got '6'"),
        (["--images", "none"], "--images must be a positive integer or all, got 'none'"),
        (["--with", "transfer"], "--with transfer needs the data to transfer to, such as"),
        (
            ["--with", "occlusion", "--transfer", "data=digits"],
            "--transfer needs transfer among the names of --with, got occlusion",
        ),
        (["--device", "tpu"], "--device=tpu is not available on this machine; use auto or one of cpu"),
    ],
)
def test_wrong_options_are_one_sentence(sweep, capsys, options, message):
    assert main(["evaluate", str(sweep), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert pd.Series([line]).str.contains(message)[0], line


def test_no_runs_and_no_weights_are_one_sentence(sweep, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["evaluate", str(tmp_path / "empty")]) == 2
    assert "no finished run below" in capsys.readouterr().err
    for file in sweep.glob("*/*/*/model.safetensors"):
        file.unlink()
    assert main(["evaluate", str(sweep)]) == 2
    assert "none of the 4 finished runs below" in capsys.readouterr().err


def test_runs_that_cannot_be_evaluated_are_named_and_the_others_are(sweep, capsys):
    with (sweep / "CNN/n40/s0/model.safetensors").open("ab") as file:
        file.write(b"x")
    change_record(sweep / "CNN/n40/s1", data_fingerprint="contents:other")
    change_size(sweep / "ViT/n40/s0")
    assert main(["evaluate", str(sweep), "--with", "translations"]) == 1
    shown = capsys.readouterr().out
    assert "left out: 1 run with altered weights: CNN/n40/s0" in shown
    assert (
        "left out: CNN/n40/s1: the images or labels of data.name=digits changed since it was trained" in shown
    )
    size = "its model takes images of 1 x 9 x 9, and those of data.name=digits are 1 x 8 x 8"
    assert f"left out: ViT/n40/s0: {size}" in shown
    assert set(table(sweep, "translations")["folder"]) == {"ViT/n40/s1"}


def test_runs_without_logits_are_named(sweep, capsys):
    (sweep / "CNN/n40/s0" / results.LOGITS).unlink()
    assert main(["evaluate", str(sweep), "--with", "calibration"]) == 1
    assert "left out: 1 run with no test_logits.npy: CNN/n40/s0 (calibration)" in capsys.readouterr().out
    assert table(sweep, "calibration")["folder"].nunique() == 3


def change_record(folder: Path, **more: str) -> None:
    record = json.loads((folder / results.RESULT).read_text())
    results.write_json(folder / results.RESULT, seal({**record, **more}))


def change_size(folder: Path) -> None:
    """Let a run's model be for images of 9 x 9 pixels."""
    saved = json.loads((folder / "config.json").read_text())
    saved["pretrained_cfg"]["input_size"], saved["model_args"]["img_size"] = [1, 9, 9], [9, 9]
    (folder / "config.json").write_text(json.dumps(saved))
