"""Every number of a published page is what its records say: the pages are their templates, rendered."""

import re
import shutil

import pytest
from published import PUBLISHED, TEMPLATE, main, page, wrap

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
