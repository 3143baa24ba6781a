"""The loggers of other tools get the figures of a run, as their own readers find them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vision.experiment import run
from vision.experiment.loggers import LOGGERS


def logged_run(small_run, name: str) -> tuple[dict[str, Any], list[dict[str, Any]], Path]:
    result = run(replace(small_run, training=replace(small_run.training, loggers=[name])))
    lines = (Path(result["folder"]) / "metrics.jsonl").read_text().splitlines()
    return result, [json.loads(line) for line in lines], Path(small_run.output_dir) / "loggers" / name


def test_tensorboard_reads_the_figures_of_each_validation(small_run):
    accumulator: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    result, lines, folder = logged_run(small_run, "tensorboard")
    events = accumulator.EventAccumulator(str(folder / "test" / "CNN" / "n60" / "s0")).Reload()
    losses = [(event.step, event.value) for event in events.Scalars("val_loss")]
    expected = [(line["step"], line["val_loss"]) for line in lines] + [(12, result["val_loss"])]
    assert losses == [(step, pytest.approx(value)) for step, value in expected]
    assert events.Scalars("test_accuracy")[0].value == pytest.approx(result["test_accuracy"])


@pytest.mark.filterwarnings("ignore")  # of its own libraries
def test_mlflow_reads_the_figures_of_each_validation(small_run):
    mlflow: Any = pytest.importorskip("mlflow.tracking", reason="mlflow is an extra")
    result, lines, folder = logged_run(small_run, "mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    [found] = client.search_runs([client.get_experiment_by_name("test").experiment_id])
    history = client.get_metric_history(found.info.run_id, "train_loss")
    assert [(each.step, each.value) for each in history] == [(x["step"], x["train_loss"]) for x in lines]
    assert found.data.metrics["test_accuracy"] == result["test_accuracy"]
    assert found.data.params["model.name"] == "field_cnn" and found.info.status == "FINISHED"


@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases_keeps_the_figures_offline(small_run):
    pytest.importorskip("wandb", reason="wandb is an extra")
    _, _, folder = logged_run(small_run, "wandb")
    [kept] = folder.rglob("*.wandb")
    assert kept.stat().st_size > 500 and b"val_accuracy" in kept.read_bytes()


def test_a_logger_that_fails_does_not_end_the_run(small_run):
    pytest.importorskip("tensorboard")
    place = Path(small_run.output_dir) / "loggers"
    place.parent.mkdir(parents=True)
    place.write_text("a file where the loggers write")
    with pytest.warns(UserWarning, match="training.loggers: tensorboard failed and gets no more figures"):
        result, lines, _ = logged_run(small_run, "tensorboard")
    assert len(lines) == 3 and result["test_accuracy"] > 0


def test_loggers_are_not_a_part_of_a_runs_identity(small_run):
    first = run(small_run)
    again = run(replace(small_run, training=replace(small_run.training, loggers=["tensorboard"])))
    assert again["skipped"] and again["record_sha256"] == first["record_sha256"]


def test_an_unknown_or_missing_logger_is_one_sentence(small_run, monkeypatch):
    for name, message in (
        ("visdom", "training.loggers must be some of tensorboard, mlflow, wandb, got 'visdom'"),
        ("absent", r"training\.loggers=absent needs the package no_such_package: pip install .*\[absent\]"),
    ):
        monkeypatch.setitem(LOGGERS, "absent", ("no_such_package", "")) if name == "absent" else None
        with pytest.raises(ValueError, match=message):
            run(replace(small_run, training=replace(small_run.training, loggers=[name])))
