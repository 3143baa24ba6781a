"""The README's code runs, its links exist, and its table matches the records."""

import re
import runpy

import pandas as pd
import pytest
from code_blocks import ROOT, blocks

from vision.report.wording.lead import pair_answer
from vision.statistics import accuracy_curves, compare_models, paired_differences

README = (ROOT / "README.md").read_text()
PUBLISHED = ROOT / "outputs" / "published" / "study-cifar10-jpeg"

OWN_IMAGES = blocks(ROOT / "README.md", "## Your own images")  # test_own_images.py runs them
PYTHON = [
    block.text
    for block in blocks(ROOT / "README.md")
    if block.language == "python" and block not in OWN_IMAGES
]


def test_it_is_short():
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_its_python_runs(number, tmp_path):
    script = tmp_path / "readme.py"
    script.write_text(PYTHON[number])
    names = runpy.run_path(str(script))
    assert {"model", "attention"} <= set(names)


def test_its_links_exist():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


def test_its_table_is_the_published_record():
    """The table is of the budget of 30 epochs; every model and size of it is there."""
    curves = accuracy_curves(pd.read_csv(PUBLISHED / "epochs.csv"))
    assert len(curves) >= 30
    for row in curves.to_dict("records"):
        (line,) = [text for text in README.splitlines() if text.startswith(f"| {row['label']} |")]
        mean, half = row["mean"], max(row["high"] - row["mean"], row["mean"] - row["low"])
        assert f" {100 * mean:.1f} ± {100 * half:.1f} " in line


def test_its_answer_is_that_of_the_published_records():
    found = compare_models(pd.read_csv(PUBLISHED / "epochs.csv"), "CNN", "ViT")
    text = " ".join(README.split())
    where = pair_answer(found).split("The CNN is ahead at ")[1].split("). ")[0]
    assert f"The CNN is ahead of the ViT at {where})." in text
    mean, low, high = (f"{100 * value:+.1f}" for value in found.average)
    assert f"not significant either: {mean} points (95% interval {low} to {high}, 3 seeds)" in text
    assert f"An average lead below {100 * found.detectable:.1f} points could not" in text
    single = [100 * one.detectable for one in found.by_size if not one.leader]
    assert f"below {min(single):.1f} to {max(single):.1f} points could not" in text


def test_its_lead_after_150_epochs_is_the_published_record():
    (pairs,) = paired_differences(pd.read_csv(PUBLISHED / "converged.csv"), "CNN", "ViT").to_dict("records")
    lead, low, high = (f"{100 * pairs[name]:+.1f}" for name in ("mean", "low", "high"))
    text = " ".join(README.split())
    assert f"150 epochs its lead over the ViT is {lead} points" in text
    assert f"(95% interval {low} to {high}, {pairs['n']} seeds)" in text
