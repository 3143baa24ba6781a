"""A page names what it leaves out: runs, models, sizes, figures and tables."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from known_records import records
from pages import content, report, write_csv

from vision import results
from vision.cli import main
from vision.report import write_report
from vision.report.figures import draw_figures
from vision.report.page import make_page, render
from vision.report.read_sweep import read_sweep


@pytest.mark.slow
def test_the_page_of_a_running_sweep_names_missing_and_failed_runs(sweep, tmp_path):
    half = tmp_path / "half"
    shutil.copytree(sweep, half)
    shutil.rmtree(half / "ViT" / "n200" / "s0")
    failed = half / "ViT" / "n200" / "s1"
    (failed / results.RESULT).unlink()
    results.write_json(failed / results.FAILURE, {"error": "NonFiniteLoss: the loss is <nan>"})
    page = make_page(read_sweep(half))
    assert page.warnings[0] == (
        "This sweep is not finished: of 8 runs, 1 has failed and 1 is missing. This page shows 6."
    )
    assert page.warnings[1] == "Failed: ViT/n200/s1: NonFiniteLoss: the loss is <nan>"
    assert page.warnings[2] == "Missing: ViT/n200/s0."
    assert "Two training-set sizes are too few for a scaling law, which needs three." in page.warnings
    assert page.warnings[-1].startswith("The table 'same-images' is left out: ViT and CNN have no predicti")
    assert "the loss is &lt;nan&gt;" in render(page)


def test_with_one_seed_no_interval_is_drawn_and_the_page_explains_it(tmp_path):
    text, page = report(tmp_path, records(seeds=1))
    words = " ".join(page.words)
    assert "There is one seed only, so no interval is drawn" in words and "seed=0,1,2" in words
    assert "±" not in words and "accuracy-FillBetween" not in text
    assert "has the best mean" in words and "This is not tested: there is one common seed." in words
    assert "nan" not in words and "95% interval over seeds" not in words


def test_rows_that_are_repeated_are_counted_once_and_said(tmp_path, capsys):
    once = records(models=(" ViT ", "CNN"))
    table = tmp_path / "runs.csv"
    pd.concat([once, once[:5]]).to_csv(table, index=False)
    sweep = read_sweep(table)
    assert sweep.labels == ["ViT", "CNN"] and len(sweep.records) == len(once)
    sentence = "5 rows repeat another row of the table; each run counts once."
    assert sentence in sweep.left_out
    assert main(["plot", str(table)]) == 0 and sentence in capsys.readouterr().out
    pd.testing.assert_series_equal(pd.read_csv(tmp_path / "curves.csv")["n"], read_sweep(table).curves["n"])
    once.to_csv(table, index=False)
    assert not read_sweep(table).left_out


@pytest.mark.slow
def test_a_page_of_one_model_or_one_size_explains_what_is_not_shown(tmp_path):
    _, page = report(tmp_path, records(models=("ViT",)))
    assert "There is one model only, ViT: nothing to compare it with." in page.words
    assert "gain" not in page.ids and "differences" not in page.ids
    assert not [word for word in page.words if "judged by itself" in word]
    _, page = report(tmp_path, records(sizes=(100,)))
    assert "There is one training-set size only: no curve, no crossing, no law." in page.words
    assert "error" not in page.ids


def test_a_size_that_only_one_model_has_gives_no_leader(tmp_path):
    table = records(models=("A", "B", "C"), cross=False)
    only = table[(table["label"] == "A") | (table["train_size"] < 1000)]
    answer = content(tmp_path, only).answer
    assert "At 50 images" in answer and ". At 500 images" in answer and "1,000" not in answer


@pytest.mark.slow
def test_models_with_missing_sizes_are_named_and_hide_no_others(tmp_path):
    some = records(models=("A", "B", "C"), sizes=(100, 1000, 10_000), cross=False)
    page = content(tmp_path, pd.concat([some, records(models=("D",), sizes=(100,), cross=False)]))
    assert "D has no runs with 1,000 and 10,000 images." in page.warnings
    assert "At 10,000 images, which 3 of 4 models have," in page.answer
    (laws,) = (table for table in page.tables if table.name == "laws")
    said = {row[0].text: row[2].text for row in laws.rows}
    assert "a fit needs 3 training-set sizes or more, got 1 of 'D'" in said["D"]


@pytest.mark.slow
def test_sizes_whose_runs_cannot_be_paired_are_named(tmp_path):
    table = records(cross=False)
    largest = (table["label"] == "ViT") & (table["train_size"] == 1000)
    page = content(tmp_path, table.assign(seed=table["seed"] + 10 * largest))
    assert "not compared at 1,000 images: fewer than two pairs of runs have the same seed" in page.findings[0]
    apart = write_csv(tmp_path, table.assign(seed=table["seed"] + 10 * (table["label"] == "ViT")))
    independent = "no seeds in common, so their runs are compared as independent (Welch's t test)."
    assert independent in apart.findings[0] and "gain" in {one.name for one in apart.figures}


@pytest.mark.slow
def test_runs_without_a_test_accuracy_are_left_out_and_named(tmp_path, capsys):
    table = records(models=("CNN", "ViT", "MLP"))
    table.loc[table["label"].eq("CNN") & table["seed"].eq(0), "test_accuracy"] = np.nan
    table.loc[table["label"].eq("MLP"), "test_accuracy"] = np.nan
    text, page = report(tmp_path, table)
    sentences = (
        "5 runs of CNN have no test_accuracy and are left out.",
        "15 runs of MLP have no test_accuracy and are left out. No run of MLP is left.",
    )
    assert set(sentences) <= set(page.words) and "nan" not in text
    assert main(["plot", str(tmp_path / "runs.csv")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(sentence in said for sentence in sentences) and "parameters" not in said


@pytest.mark.slow
def test_a_figure_left_out_by_an_error_is_named_and_one_that_does_not_apply_is_not(tmp_path):
    wrong = records()
    wrong.loc[0, "train_accuracy"] = 3.0
    _, page = report(tmp_path, wrong)
    said = [word for word in page.words if "is left out" in word]
    assert len(said) == 1 and said[0].startswith(
        "The figure 'overfit' is left out: train_accuracy must be a share"
    )
    for plain in (records(models=("ViT",)), records(sizes=(100,)), records(seeds=1), records()):
        page = content(tmp_path, plain.drop(columns="train_accuracy"))
        assert not [word for word in page.warnings if "left out" in word]
        figures, failures = draw_figures(read_sweep(tmp_path / "runs.csv"))
        assert not failures and "overfit" not in {figure.name for figure in figures}
    alone = records()
    alone.loc[alone["label"].eq("ViT"), "seed"] += 10
    page = content(tmp_path, alone)
    said = [page.answer, *page.warnings, *page.findings]
    assert not any("are not compared" in word for word in said), "Welch's test needs no pairs"


@pytest.mark.slow
def test_a_run_without_its_side_files_is_left_out_of_their_figures(sweep, tmp_path):
    less = tmp_path / "less"
    shutil.copytree(sweep, less)
    (less / "CNN" / "n200" / "s0" / results.LABELS).unlink()
    (less / "ViT" / "n60" / "s1" / results.METRICS).unlink()
    page = write_report(less, tmp_path / "page.html")
    less_labels = (
        "1 run has no intact test_labels.npy and is left out of the figures and tables of predictions"
    )
    assert f"{less_labels}: CNN/n200/s0." in page.warnings
    less_metrics = "1 run has no intact metrics.jsonl and is left out of the learning curves"
    assert f"{less_metrics}: ViT/n60/s1." in page.warnings
    assert {"steps", "confusion", "classes"} <= {figure.name for figure in page.figures}


@pytest.mark.slow
def test_altered_runs_are_named_and_left_out(sweep, tmp_path, capsys):
    altered = tmp_path / "altered"
    shutil.copytree(sweep, altered)
    result = altered / "CNN" / "n200" / "s0" / results.RESULT
    record = json.loads(result.read_text())
    results.write_json(result, record | {"record_version": 4, "test_accuracy": 1.0, "record_sha256": "0"})
    page = make_page(read_sweep(altered))
    said = [sentence for sentence in page.warnings if sentence.startswith("Left out: ")]
    assert len(said) == 1 and "CNN/n200/s0/result.json was altered" in said[0]
    assert main(["plot", str(altered)]) == 0
    printed = capsys.readouterr().out
    assert said[0] in printed and "Not included: 1 damaged." in printed
