"""Calibration errors against values computed by hand."""

import numpy as np
import pytest

from vision.statistics import calibration_bins, expected_calibration_error


def logits_of(*confidences: float) -> np.ndarray:
    """Logits of two classes, of which the first has these probabilities."""
    first = np.array(confidences)
    return np.log(np.stack([first, 1 - first], axis=1))


def test_bins_of_equal_width():
    # Bins (0.5, 0.75] and (0.75, 1] of four; the first class is always the prediction.
    logits, labels = logits_of(0.6, 0.7, 0.75, 0.8, 0.9), np.array([0, 1, 0, 0, 1])
    bins = calibration_bins(logits, labels, binning="equal width", bins=4)
    assert bins["bin"].tolist() == [3, 4] and bins["images"].tolist() == [3, 2]
    assert bins["confidence"].tolist() == pytest.approx([(0.6 + 0.7 + 0.75) / 3, 0.85])
    assert bins["accuracy"].tolist() == pytest.approx([2 / 3, 0.5])
    gaps = abs((0.6 + 0.7 + 0.75) / 3 - 2 / 3) * 3 / 5 + 0.35 * 2 / 5
    assert expected_calibration_error(bins) == pytest.approx(gaps)


def test_bins_of_equal_mass():
    logits, labels = logits_of(0.9, 0.6, 0.8, 0.7), np.array([1, 0, 0, 1])
    bins = calibration_bins(logits, labels, bins=2)
    assert bins["images"].tolist() == [2, 2]
    assert bins["confidence"].tolist() == pytest.approx([0.65, 0.85])
    assert bins["accuracy"].tolist() == [0.5, 0.5]
    assert expected_calibration_error(bins) == pytest.approx((0.15 + 0.35) / 2)
    five = calibration_bins(logits_of(*[0.6] * 17), np.zeros(17, int), bins=5)["images"]
    assert five.tolist() == [4, 4, 3, 3, 3] or sorted(five.tolist()) == [3, 3, 3, 4, 4]
    # More bins than images: one image in each.
    assert calibration_bins(logits, labels)["images"].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("binning", ["equal mass", "equal width"])
def test_a_model_that_is_as_sure_as_it_is_right_has_a_small_error(binning):
    random = np.random.RandomState(0)
    confidence = random.uniform(0.5, 1, 40_000)
    labels = (random.rand(40_000) >= confidence).astype(int)
    bins = calibration_bins(logits_of(*confidence), labels, binning=binning)
    assert expected_calibration_error(bins) < 0.01
    assert (
        expected_calibration_error(calibration_bins(logits_of(*confidence), 1 - labels, binning=binning))
        > 0.4
    )


def test_probabilities_of_one_and_float16_logits():
    logits = np.array([[300.0, 0.0], [0.0, 300.0]], dtype=np.float16)
    for binning in ("equal mass", "equal width"):
        bins = calibration_bins(logits, np.array([0, 0]), binning=binning)
        assert expected_calibration_error(bins) == 0.5


def test_the_error_of_logits_that_are_not_finite_is_unknown():
    logits = np.array([[0.0, 1.0], [np.nan, 0.0]])
    for binning in ("equal mass", "equal width"):
        bins = calibration_bins(logits, np.array([1, 0]), binning=binning)
        assert np.isnan(expected_calibration_error(bins))


def test_errors():
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        calibration_bins(np.zeros((2, 3)), np.zeros(2, int), bins=0)
    with pytest.raises(ValueError, match="one label for each image, got 2 and 3"):
        calibration_bins(np.zeros((2, 3)), np.zeros(3, int))
    with pytest.raises(ValueError, match="one of equal mass, equal width, got 'equal'"):
        calibration_bins(np.zeros((2, 3)), np.zeros(2, int), binning="equal")  # pyright: ignore
