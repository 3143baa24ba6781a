"""Outputs of runs on the test images are read side by side, and runs without them are named."""

from dataclasses import replace

import numpy as np
import pytest
from written_runs import write_run

from vision import results
from vision.experiment import run


def test_predictions_of_runs_on_the_same_test_images_stand_side_by_side(small_run):
    runs = [replace(small_run, seed=seed) for seed in (0, 1)]
    for config, guessed in zip(runs, ([0, 1, 2], [0, 2, 2]), strict=True):
        np.save(write_run(config) / results.PREDICTIONS, np.array(guessed, dtype=np.uint8))
    records = results.collect(small_run.output_dir)
    with pytest.raises(FileNotFoundError, match=results.LABELS):
        results.predictions(small_run.output_dir, records)
    for config in runs:
        np.save(results.run_folder(config) / results.LABELS, np.array([0, 1, 2], dtype=np.uint8))
    guessed, labels = results.predictions(small_run.output_dir, records)
    assert guessed.tolist() == [[0, 1, 2], [0, 2, 2]] and labels.tolist() == [0, 1, 2]
    np.save(results.run_folder(runs[1]) / results.LABELS, np.array([0, 1, 1], dtype=np.uint8))
    with pytest.raises(ValueError, match=r"s1 was tested on other images than .*s0"):
        results.predictions(small_run.output_dir, records)


def test_logits_are_those_that_the_scores_were_computed_from(small_run):
    for seed in (0, 1):
        run(replace(small_run, seed=seed))
    records = results.collect(small_run.output_dir)
    outputs, labels = results.logits(small_run.output_dir, records)
    guessed, _ = results.predictions(small_run.output_dir, records)
    assert outputs.shape == (2, 360, 10) and outputs.dtype == np.float32
    largest = outputs.max(axis=2)
    assert np.array_equal(np.take_along_axis(outputs, guessed[..., None].astype(int), 2)[..., 0], largest)
    log_sums = np.log(np.exp(outputs - largest[..., None]).sum(axis=2)) + largest
    losses = log_sums - outputs[:, np.arange(360), labels]
    assert losses.mean(axis=1) == pytest.approx(records["test_loss"].to_numpy(), abs=1e-3)
    assert (results.run_folder(small_run) / results.LOGITS).stat().st_size == 128 + 2 * 360 * 10


def test_logits_can_be_left_out_and_are_no_other_run(small_run):
    folder = results.run_folder(small_run)
    run(replace(small_run, save_logits=False))
    assert not (folder / results.LOGITS).exists() and (folder / results.PREDICTIONS).exists()
    assert run(small_run)["skipped"], "a finished run without logits is not trained again"
    with pytest.raises(FileNotFoundError, match=r"1 of 1 runs have no test_logits.npy, such as .*n60/s0"):
        results.logits(small_run.output_dir, results.collect(small_run.output_dir))
