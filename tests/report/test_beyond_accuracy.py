"""The section of the page on what `vision evaluate` measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vision import results
from vision.cli import main
from vision.report.beyond_accuracy import beyond_accuracy
from vision.report.measures import SCORE, measures
from vision.report.page import write_report
from vision.report.read_sweep import read_sweep
from vision.report.section import Section
from vision.report.wording.robustness import not_evaluated
from vision.statistics import compare_models


@pytest.fixture(scope="module")
def evaluated(sweep: Path) -> Path:
    everything = ["--transfer", "data=digits", "--images", "40", "--severities", "1,5"]
    assert main(["evaluate", str(sweep), *everything]) == 0
    return sweep


@pytest.mark.slow
def test_the_page_shows_each_evaluation(evaluated, tmp_path):
    page = write_report(evaluated, tmp_path / "report.html", figures=tmp_path / "figures")
    inside, beyond = page.sections
    assert inside.name == "inside" and beyond.table is not None
    names = ["corruptions", "corruption-kinds", "shuffled-patches", "translations", "occlusion"]
    names += ["calibration", "reliability", "probe", "transfer"]
    assert [figure.name for figure in beyond.figures] == names
    assert all((tmp_path / "figures" / f"{name}.png").stat().st_size > 5000 for name in names)
    assert not [warning for warning in page.warnings if "left out" in warning]
    assert len(beyond.findings) == len(beyond.table.rows) == 9
    assert beyond.findings[0].startswith("Accuracy under corruption, CNN against ViT: ")
    text = (tmp_path / "report.html").read_text()
    assert '<a href="#beyond">Beyond accuracy</a>' in text and '<figure id="reliability">' in text


@pytest.mark.slow
def test_measures_are_compared_as_the_accuracy_is(evaluated):
    sweep = read_sweep(evaluated)
    tables = sweep.evaluations
    found = {measure.name: measure for measure in measures(sweep, tables)}
    corrupted = tables["corruptions"]
    corrupted = corrupted[corrupted["kind"] != "unchanged"]
    by_hand = corrupted.groupby("folder")["accuracy"].mean()
    records = sweep.records.assign(**{SCORE: sweep.records["folder"].map(by_hand)})
    expected = compare_models(records, "CNN", "ViT", metric=SCORE)
    assert found["accuracy under corruption"].comparisons["CNN", "ViT"].average == pytest.approx(
        expected.average
    )
    # A lead in calibration is a smaller error.
    calibration = found["calibration"]
    bins = tables["calibration"]
    bins = bins[bins["kind"] == "equal mass"]
    gaps = (bins["confidence"] - bins["accuracy"]).abs() * bins["images"]
    errors = gaps.groupby(bins["folder"]).sum() / 100
    means = errors.groupby(sweep.records.set_index("folder")["label"]).mean()
    lead = calibration.comparisons["CNN", "ViT"].average.mean
    assert lead == pytest.approx(means["ViT"] - means["CNN"])


@pytest.mark.slow
def test_runs_that_were_not_evaluated_are_counted(evaluated, tmp_path):
    file = results.evaluation_file(evaluated, "occlusion")
    whole = pd.read_csv(file)
    largest = whole["train_size"].max()
    left_out = whole["folder"] == "CNN/n60/s0", whole["train_size"] == largest
    sections: list[Section] = []
    try:
        for rows in left_out:
            whole[~rows].to_csv(file, index=False)
            sections.append(beyond_accuracy(read_sweep(evaluated)))
    finally:
        whole.to_csv(file, index=False)
    ends = " left out of it; run `vision evaluate` again."
    runs = whole[left_out[1]]["folder"].nunique()
    assert sections[0].warnings == [f"1 run has no relative accuracy under occlusion and is{ends}"]
    assert sections[1].warnings == [f"{runs} runs have no relative accuracy under occlusion and are{ends}"]
    assert all("occlusion" in [figure.name for figure in section.figures] for section in sections)
    assert np.isfinite(whole["accuracy"]).all()


def test_without_evaluations_there_is_no_section(tmp_path):
    rows = [(label, 100, seed, 0.5 + seed / 100) for label in ("CNN", "ViT") for seed in range(3)]
    columns = ["label", "train_size", "seed", "test_accuracy"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "runs.csv", index=False)
    section = beyond_accuracy(read_sweep(tmp_path / "runs.csv"))
    assert not (section.figures or section.findings or section.warnings or section.table)


def test_measures_that_the_same_number_of_runs_lacks_share_a_sentence():
    names = ["calibration", "few-shot accuracy"]
    assert not_evaluated(names, 100) == (
        "100 runs have no score in 2 measures and are left out of them (calibration, few-shot accuracy); "
        "run `vision evaluate` again."
    )
    assert not_evaluated(names, 1).startswith("1 run has no score in 2 measures and is left out of them")
