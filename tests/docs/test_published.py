"""Every number of a published page is what its records say: the pages are their templates, rendered."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from published import PUBLISHED, TEMPLATE, main, page, wrap
from publishing.runs import Runs
from scipy import stats

from vision import results

FOLDERS = sorted(folder for folder in PUBLISHED.iterdir() if (folder / "README.md").is_file())
CALL = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
RESULT = re.compile(r"\d+\.\d+|\d+(?:\.\d+)?%|[+-]\d")  # how results look: 35.4, 44%, +3.0
NOT_RESULTS = re.compile(
    r"95%|90% of the test|ResNet-18|learning rate of \d\.\d+|weight decay of \d\.\d+|recipe 0\.002 and 0\.05"
)


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_page_is_what_its_records_say(folder):
    assert (folder / "README.md").read_text() == page(folder), "run python scripts/published.py"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_result_is_written_by_hand(folder):
    """Items up to the sections on other passes and limits; how the runs were made is not a result."""
    text = re.split(r"## (?:From other|What limits)", (folder / TEMPLATE).read_text())[0]
    items = re.findall(r"^- .*?(?=^- |\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    assert items
    for item in items:
        by_hand = NOT_RESULTS.sub("", " ".join(CALL.sub("", item).split()))
        assert not RESULT.search(by_hand), item


def test_other_records_give_another_page_or_a_refusal(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "long_range"
    shutil.copytree(PUBLISHED / "long_range", folder)
    monkeypatch.setattr("published.PUBLISHED", tmp_path)
    assert main(["--check"]) == 0
    records = results.read_records(folder / "records.csv")
    worse = records["label"].eq("CNN") & records["data.options.distance"].eq(4) & records["seed"].eq(0)
    records.assign(test_accuracy=records["test_accuracy"].where(~worse, 0.5)).to_csv(
        folder / "records.csv", index=False
    )
    assert main(["--check"]) == 1
    assert "pages that differ from their records: long_range" in capsys.readouterr().out
    assert main([]) == 0 and "the CNN solves 2 of 3" in " ".join((folder / "README.md").read_text().split())
    records.assign(test_accuracy=0.5).to_csv(folder / "records.csv", index=False)
    with pytest.raises(ValueError, match=r"a claim of long_range/README\.template\.md is not true"):
        main(["--check"])


def test_paragraphs_and_items_are_wrapped_and_tables_kept():
    table = "| a | b |\n|---|---|\n| 1 | 2 |"
    item = "- " + " ".join(["word"] * 40)
    lines = wrap(f"# Title\n\n{table}\n\n{item}\n- next").splitlines()
    assert lines[0] == "# Title" and "\n".join(lines[2:5]) == table
    assert max(map(len, lines)) <= 100 and lines[7].startswith("  word") and lines[-1] == "- next"


def runs_at_two_sizes(leads: dict[str, tuple[float, float, float]]) -> Runs:
    """Runs of models that are ahead of "base" by these accuracies at three seeds."""
    rows = [
        (label, size, seed, 0.5 + lead, 100, 0.9 * size)
        for label, own in {"base": (0.0, 0.0, 0.0), **leads}.items()
        for size in (100, 1000)
        for seed, lead in enumerate(own)
    ]
    names = ["label", "train_size", "seed", "test_accuracy", "steps", "n_train"]
    return Runs(pd.DataFrame(rows, columns=names))


def test_leaders_are_adjusted_for_the_number_of_comparisons():
    sure, likely, behind = (0.10, 0.101, 0.102), (0.01, 0.02, 0.021), (-0.10, -0.101, -0.102)
    p = stats.ttest_1samp(likely, 0).pvalue
    assert 0.025 < p < 0.05, "alone significant, as the largest of two too, as one of three not the smallest"
    runs = runs_at_two_sizes({"sure": sure, "likely": likely, "behind": behind, "twin": likely})
    assert runs.leader("likely", "base") == "likely"
    assert runs.leaders_of("base", ["sure", "likely"]) == {"sure": "sure", "likely": "likely"}
    adjusted = {"sure": "sure", "behind": "base", "likely": None, "twin": None}
    assert runs.leaders_of("base", list(adjusted)) == adjusted


def test_numbers_of_settings_and_of_single_runs():
    runs = runs_at_two_sizes({"A": (0.1, 0.2, 0.45), "B": (0.0, 0.1, 0.3)})
    assert (runs.passes(100, 64), runs.passes(1000, 64)) == ("71", "7")  # 100 steps of 64 images over 90
    assert runs.highest_unsolved() == "80", "0.95 is above 90%"
    text = runs.lead_over_mean("A", "B", "base")
    gains = np.array([0.1, 0.2, 0.45]) - np.array([0.0, 0.1, 0.3]) / 2
    low, high = stats.t.interval(0.95, 2, gains.mean(), stats.sem(gains))
    assert text == f"{100 * gains.mean():+.1f} points (95% interval {100 * low:+.1f} to {100 * high:+.1f})"
    assert runs.is_above_mean("A", "B", "base") == (low > 0)


def test_the_best_field_is_compared_with_the_next_ones():
    """The field 3 is best: ahead of 1 by nearly 10 points, of 5 by chance."""
    runs = runs_at_two_sizes(
        {"kind 1": (0.0, 0.002, 0.0), "kind 3": (0.1, 0.1, 0.1), "kind 5": (0.09, 0.11, 0.08)}
    )
    runs = Runs(runs.records[runs.records["label"] != "base"])
    assert runs.best_field("kind", 100) == "3"
    assert runs.best_fields_ahead((1, 3, 5)) == [True, False] * 2
