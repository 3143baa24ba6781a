"""Models on the same test images: runs are paired by seed, and only runs of the same images."""

import json
import re
import shutil

import numpy as np
import pytest

from vision import results
from vision.report.page import make_page
from vision.report.read_sweep import read_sweep
from vision.results.checksums import seal
from vision.saved_files import sha256


def test_predictions_are_paired_by_seed(sweep, tmp_path):
    from vision.report.run_predictions import predictions_at

    found = predictions_at(read_sweep(sweep), ["CNN", "ViT"], 200)
    assert found["CNN"].predictions.shape == (2, 100) and found["CNN"].classes == [*"0123456789"]
    one = tmp_path / "one"
    shutil.copytree(sweep, one)
    shutil.rmtree(one / "ViT" / "n200" / "s0")
    found = predictions_at(read_sweep(one), ["CNN", "ViT"], 200)
    kept = np.load(one / "CNN" / "n200" / "s1" / results.PREDICTIONS)
    assert np.array_equal(found["CNN"].predictions, kept[None]), "seed 0 has no partner"


@pytest.mark.slow
def test_models_tested_on_other_images_are_not_compared_on_them(sweep, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(sweep, other)
    for seed in (0, 1):
        file = other / "ViT" / "n200" / f"s{seed}" / results.LABELS
        np.save(file, np.load(file)[::-1])
        result = file.with_name(results.RESULT)
        record = json.loads(result.read_text())
        record["files_sha256"][results.LABELS] = sha256(file)
        results.write_json(result, seal(record))
    page = make_page(read_sweep(other))
    assert "same-images" not in {table.name for table in page.tables}
    assert any(
        re.match(r"The table 'same-images' is left out: (CNN|ViT) had other test images than", said)
        for said in page.warnings
    )


@pytest.mark.slow
def test_a_run_that_is_there_twice_is_one_on_the_same_images(sweep, tmp_path):
    twice = tmp_path / "twice"
    for name in ("one", "other"):
        shutil.copytree(sweep, twice / name)
    for page in (make_page(read_sweep(sweep)), make_page(read_sweep(twice))):
        (same,) = (table for table in page.tables if table.name == "same-images")
        assert same.rows[0][3].text.count(",") == 1, "a p for each of two seeds"
