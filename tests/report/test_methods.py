"""The section on methods: settings from the records, and what the intervals are over."""

import json
import shutil

import pandas as pd
import pytest
from known_records import records
from pages import Page, content

from vision import results
from vision.report.figures import draw_figures
from vision.report.methods import methods
from vision.report.page import make_page, render
from vision.report.read_sweep import read_sweep
from vision.results.checksums import seal


@pytest.mark.slow
def test_how_it_was_measured_is_what_the_records_say(sweep):
    words = " ".join(Page(render(make_page(read_sweep(sweep)))).words)
    record = json.loads((sweep / "CNN" / "n60" / "s0" / results.RESULT).read_text())
    for value in (record["versions"]["torch"], record["device"], record["subset_sha256"][:10]):
        assert value in words
    assert "n = 2 per point" in words and "the same for all models at each size and seed" in words
    assert "training.batch_size=16" in words and f"{100 * record['test_accuracy']:.2f}" in words


@pytest.mark.parametrize(
    ("seeds", "subsets", "text"),
    [
        ([0], [0], "none drawn: there is one run per point"),
        ([0, 1, 2], [0, 1, 2], "95%, Student's t over seeds, each with its own subset"),
        (
            [0, 1, 2],
            [7, 7, 7],
            "over seeds on the same subset, so it does not cover other subsets",
        ),
        ([0, 1, 0, 1], [0, 0, 1, 1], "over subsets, the seeds of each averaged"),
        ([0, 1, 2], None, "95%, Student's t over seeds"),
    ],
)
def test_the_intervals_are_over_what_the_runs_differ_in(tmp_path, seeds, subsets, text):
    table = records(seeds=len(seeds))
    table["seed"] = table["seed"].map(lambda order: seeds[order])
    if subsets is not None:
        table["subset_seed"] = [subsets[order % len(seeds)] for order in range(len(table))]
    table.to_csv(tmp_path / "runs.csv", index=False)
    assert dict(methods(read_sweep(tmp_path / "runs.csv")))["Intervals"] in (text, f"95%, Student's t {text}")


def test_the_full_size_has_the_seeds_of_its_one_subset(tmp_path):
    """The protocol's design: 3 subsets x 3 seeds, and 5 seeds with all images."""
    crossed = records(seeds=9, cross=False)
    crossed = crossed.assign(subset_seed=crossed["seed"] // 3, seed=crossed["seed"] % 3)
    whole = records(seeds=5, sizes=(5000,), cross=False).assign(subset_seed=0)
    page = content(tmp_path, pd.concat([crossed, whole]))
    assert "from 50 to 5,000 images" in page.answer
    assert not [one for one in page.warnings if not one.startswith("Training-set sizes differ by")]
    measured = dict(page.methods)
    assert measured["Runs"] == "100 of 100, n = 3 to 5 per point"
    assert "at 5,000 images over seeds on the same subset" in measured["Intervals"]
    assert "at 50, 100, 200, 500, 1,000 images over subsets, the" in measured["Intervals"]


@pytest.mark.slow
def test_settings_with_several_values_are_on_the_page(sweep, tmp_path):
    """A mean for each channel, and depths that differ between models."""
    several = tmp_path / "several"
    shutil.copytree(sweep, several)
    for path in several.rglob(results.RESULT):
        record = json.loads(path.read_text())
        record["settings"] |= {"data.mean": [0.49, 0.48, 0.45]}
        record["settings"] |= {"model.kwargs.depths": [2, 2] if record["label"] == "CNN" else [1, 3]}
        results.write_json(path, seal(record))
    runs = read_sweep(several)
    page = make_page(runs)
    assert "data.mean=[0.49, 0.48, 0.45]" in dict(page.methods)["Settings of all"]
    assert not [one for one in page.warnings if "left out" in one] and not draw_figures(runs)[1]
    (settings,) = (table for table in page.tables if table.name == "settings")
    assert {cell.text for row in settings.rows for cell in row} >= {"[2, 2]", "[1, 3]"}


def test_the_small_print_gives_the_ends_of_many_numbers():
    from vision.report.wording.methods import value_range

    rows = pd.DataFrame({"steps": [22, 1055, 300, 2110], "few": [1, 1, 2, 3], "host": list("abcd")})
    assert [value_range(rows[name]) for name in rows] == ["22 to 2,110", "1, 2, 3", "a and 3 more"]
