"""With training.log_inside a run tells how its heads change; the training stays the same."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file

from vision import results
from vision.cli import main
from vision.data import load_inputs
from vision.experiment import run
from vision.inspection import attention_distance, measure_heads

GATED = {"depth": 2, "embed_dim": 16, "mixer_options": {"num_heads": 4}, "patch_size": 2}


@pytest.fixture
def gated(small_run):
    model = replace(small_run.model, name="field_gated", label="gated", kwargs=GATED)
    training = replace(small_run.training, steps=6, num_evaluations=3, precision="float32", lr=0.02)
    return replace(small_run, model=model, training=training)


def test_the_last_line_measures_the_saved_model_and_step_0_the_new_one(gated):
    logged = replace(gated, training=replace(gated.training, log_inside=True))
    folder = run(logged)["folder"]
    heads = results.head_curves(gated.output_dir, results.collect(gated.output_dir))
    assert sorted(set(heads["step"])) == [0, 2, 4, 6] and len(heads) == 4 * 2 * 4
    start = heads[heads["step"] == 0]
    # A new gated head lies on one of the nine kernel positions; its gate is sigmoid(1), its alpha 1.
    assert set(start["row"]) | set(start["col"]) <= {-1.0, 0.0, 1.0}
    assert start["gate"].to_numpy() == pytest.approx(0.7310586, abs=1e-6)
    assert start["width"].to_numpy() == pytest.approx(0.5**0.5, abs=1e-6)

    inputs = load_inputs(logged.data, logged.train_size, device=torch.device("cpu"))
    shown = inputs.subset.val if len(inputs.subset.val) else inputs.subset.train
    images, _ = next(inputs.eval_batches(inputs.source.train, shown[:64]))
    saved = measure_heads(timm.create_model(f"local-dir:{folder}", pretrained=True), images)
    last = heads[heads["step"] == 6].reset_index(drop=True)
    assert last[["layer", "head"]].equals(saved[["layer", "head"]])
    for name in ("distance", "row", "col", "width", "gate"):
        assert last[name].to_numpy() == pytest.approx(saved[name].to_numpy(), abs=1e-5), name
    assert abs(last["row"] - start.reset_index(drop=True)["row"]).max() > 1e-3, "the heads did not move"


def test_a_table_of_records_next_to_its_distances_says_the_same(gated, tmp_path):
    run(replace(gated, training=replace(gated.training, log_inside=True)))
    sweep, out = Path(gated.output_dir, gated.sweep), tmp_path / "published"
    assert main(["plot", str(sweep), "--out", str(out)]) == 0
    records = results.collect(sweep)
    heads = results.head_curves(sweep, records)
    means = heads.groupby("step")["distance"].mean()
    written = results.head_distances(out / "records.csv", results.read_records(out / "records.csv"))
    assert written["distance"].tolist() == pytest.approx(means.tolist(), abs=1e-12)
    assert written["step"].tolist() == [0, 2, 4, 6] and set(written["folder"]) == {"gated/n60/s0"}

    (sweep / "gated/n60/s0/metrics.jsonl").unlink()
    assert results.head_distances(sweep, records).empty


def test_logging_changes_neither_the_training_nor_which_run_it_is(gated):
    logged = replace(gated, sweep="logged", training=replace(gated.training, log_inside=True))
    weights = [load_file(f"{run(config)['folder']}/model.safetensors") for config in (gated, logged)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    records = results.collect(gated.output_dir)
    assert set(results.head_curves(gated.output_dir, records)["step"]) == {0, 2, 4, 6}
    assert results.head_curves(gated.output_dir, records[records["folder"].str.startswith("test")]).empty
    assert run(replace(gated, training=logged.training))["skipped"], "a finished run is not trained again"


def test_a_model_without_attention_has_no_heads(small_run):
    config = replace(small_run, training=replace(small_run.training, log_inside=True))
    run(config)
    records = results.collect(config.output_dir)
    assert results.head_curves(config.output_dir, records).empty
    lines = results.learning_curves(config.output_dir, records)
    assert len(lines) == config.training.num_evaluations and "heads" not in lines


def test_only_the_soft_heads_of_a_softened_cnn_are_measured():
    """The stem and the pool are attention as well, with fields that do not change."""
    kwargs = {"cnn": "field_cnn", "only": "blocks.*", "depth": 2, "embed_dim": 16, "img_size": 32}
    model = timm.create_model("softened_cnn", **kwargs)
    heads = measure_heads(model, torch.randn(2, 3, 32, 32))
    assert heads["layer"].tolist() == ["blocks.0.mixer.layer"] * 9 + ["blocks.1.mixer.layer"] * 9
    whole = attention_distance(model, torch.randn(2, 3, 32, 32))
    assert set(whole["kind"]) == {"soft convolution", "convolution as attention", "pooling as attention"}


def test_distances_of_a_log_that_began_after_the_start_are_read(gated):
    folder = Path(run(replace(gated, training=replace(gated.training, log_inside=True)))["folder"])
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("heads_at_start", None)
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    records = results.collect(gated.output_dir)
    assert results.head_distances(Path(gated.output_dir), records)["step"].tolist() == [2, 4, 6]
    report = ["report", str(Path(gated.output_dir, gated.sweep)), "--out", str(folder / "page.html")]
    assert main(report) == 0
