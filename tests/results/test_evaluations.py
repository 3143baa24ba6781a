"""Tables of evaluations: rows stay, runs with other weights do not count, and two commands do not collide."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from written_runs import sealed

from vision import results
from vision.config import DataConfig, ModelConfig, RunConfig
from vision.results.evaluations import CHECKSUM


def write_run(sweep: Path, seed: int, weights: bytes) -> str:
    """A finished run with these bytes as weights; returns its folder in the sweep."""
    config = RunConfig(
        data=DataConfig(name="digits", source="digits"),
        model=ModelConfig(name="field_cnn", label="CNN"),
        train_size=100,
        seed=seed,
        sweep=sweep.name,
        output_dir=str(sweep.parent),
    )
    folder = results.run_folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / results.WEIGHTS).write_bytes(weights)
    sealed(folder, config)
    return str(folder.relative_to(sweep))


def row(folder: str, weights: str, **more: Any) -> dict[str, Any]:
    known = {
        "folder": folder,
        "label": "CNN",
        "train_size": 100,
        "seed": 0,
        "subset_seed": 0,
        CHECKSUM: weights,
    }
    return {**known, "kind": "fog", "level": 1, "images": 50, "accuracy": 0.5, **more}


def test_rows_are_kept_and_known_again(tmp_path):
    sweep = tmp_path / "sweep"
    folder = write_run(sweep, 0, b"first")
    weights = results.weights_of_runs(sweep)[folder]
    table = results.EvaluationTable(sweep, "corruptions")
    key = {"folder": folder, CHECKSUM: weights, "kind": "fog", "level": 1, "images": 50}
    assert not table.has(**key)
    table.add([row(folder, weights)])
    again = results.EvaluationTable(sweep, "corruptions")
    assert again.has(**key) and again.has(**{**key, "level": 1.0})
    assert not again.has(**{**key, "level": 2}) and not again.has(**{**key, CHECKSUM: "other"})
    assert not again.has(**{**key, "folder": "a run with the same weights"})
    again.add([row(folder, weights, level=2, label="=CNN")])
    found = results.read_evaluations(sweep)["corruptions"]
    assert found["level"].tolist() == [1, 2] and found["label"].tolist() == ["CNN", "=CNN"]
    assert [path.name for path in (sweep / results.EVALUATIONS).iterdir()] == ["corruptions.csv"]


def test_a_run_that_was_trained_again_counts_with_its_new_weights_only(tmp_path):
    sweep = tmp_path / "sweep"
    folder = write_run(sweep, 0, b"first")
    table = results.EvaluationTable(sweep, "corruptions")
    table.add([row(folder, results.weights_of_runs(sweep)[folder])])
    write_run(sweep, 0, b"second")
    assert results.read_evaluations(sweep) == {}
    table.add([row(folder, results.weights_of_runs(sweep)[folder], accuracy=0.7)])
    assert results.read_evaluations(sweep)["corruptions"]["accuracy"].tolist() == [0.7]
    assert len(pd.read_csv(results.evaluation_file(sweep, "corruptions"))) == 2


def test_rows_with_the_most_images_count(tmp_path):
    sweep = tmp_path / "sweep"
    folder = write_run(sweep, 0, b"first")
    weights = results.weights_of_runs(sweep)[folder]
    rows = [row(folder, weights, images=images, accuracy=images / 100) for images in (50, 80)]
    results.EvaluationTable(sweep, "corruptions").add(rows)
    assert results.read_evaluations(sweep)["corruptions"]["accuracy"].tolist() == [0.8]


def test_names_that_look_like_missing_values_stay_names(tmp_path):
    sweep = tmp_path / "sweep"
    folder = write_run(sweep, 0, b"first")
    weights = results.weights_of_runs(sweep)[folder]
    results.EvaluationTable(sweep, "probe").add([row(folder, weights, label="None")])
    found = results.read_evaluations(sweep)["probe"]
    assert found["label"].tolist() == ["None"]


def test_a_table_of_records_finds_the_evaluations_next_to_it(tmp_path):
    sweep = tmp_path / "sweep"
    folder = write_run(sweep, 0, b"first")
    results.EvaluationTable(sweep, "corruptions").add([row(folder, "of runs that are elsewhere")])
    (sweep / "records.csv").write_text("label\nCNN\n")
    assert len(results.read_evaluations(sweep / "records.csv")["corruptions"]) == 1


def test_two_commands_do_not_write_at_once_and_a_damaged_table_is_named(tmp_path):
    with (
        results.WritingEvaluations(tmp_path),
        pytest.raises(ValueError, match="another `vision evaluate` writes"),
        results.WritingEvaluations(tmp_path),
    ):
        pass
    with results.WritingEvaluations(tmp_path):
        pass
    results.evaluation_file(tmp_path, "corruptions").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"corruptions\.csv has no column folder; move it away"):
        results.EvaluationTable(tmp_path, "corruptions")
