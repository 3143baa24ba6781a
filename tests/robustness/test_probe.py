"""The linear probe is ridge regression in closed form; its images are nested, and new to the model."""

import numpy as np
import pytest
import torch

from vision.robustness import linear_probe, probe_images
from vision.robustness.probe import PENALTIES


def by_hand(features: np.ndarray, labels: np.ndarray, test_features: np.ndarray) -> np.ndarray:
    """Predicted classes: standardized features, targets of -1 and 1, the penalty by leaving one image out."""
    mean, deviation = features.mean(0), features.std(0)
    x, t = (features - mean) / deviation, (test_features - mean) / deviation
    y = 2.0 * (labels[:, None] == np.unique(labels)) - 1

    def fitted(x: np.ndarray, y: np.ndarray, at: np.ndarray, penalty: float) -> np.ndarray:
        centre = x.mean(0)
        weights = np.linalg.solve(
            (x - centre).T @ (x - centre) + penalty * np.eye(x.shape[1]), (x - centre).T @ (y - y.mean(0))
        )
        return (at - centre) @ weights + y.mean(0)

    def left_out(penalty: float) -> float:
        rows = np.arange(len(x))
        errors = [fitted(x[rows != i], y[rows != i], x[i : i + 1], penalty) - y[i] for i in rows]
        return float(np.mean(np.square(errors)))

    best = min(PENALTIES, key=left_out)
    return np.unique(labels)[fitted(x, y, t, float(best)).argmax(1)]


def test_it_is_the_closed_form():
    random = np.random.RandomState(0)
    labels, test_labels = np.arange(18) % 3, np.arange(60) % 3
    centres = random.randn(3, 5)
    features, test_features = (
        centres[own] + 1.2 * random.randn(len(own), 5) for own in (labels, test_labels)
    )
    predicted = by_hand(features, labels, test_features)
    accuracy = linear_probe(features, labels, test_features, test_labels)
    assert accuracy == (predicted == test_labels).mean() and 0.4 < accuracy < 1


def test_two_classes_and_one_image_of_each():
    features = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert linear_probe(features, [0, 1], [[0.2, 0.8], [0.9, 0.3]], [0, 1]) == 1.0
    with pytest.raises(ValueError, match="two or more classes"):
        linear_probe(features, [1, 1], features, [1, 1])


def test_images_are_nested_of_each_class_and_new_where_there_are_enough():
    labels = torch.arange(3).repeat(10)
    trained_on = torch.arange(15)
    few, many = (probe_images(labels, shots, seed=1, trained_on=trained_on) for shots in (2, 6))
    assert torch.bincount(labels[few]).tolist() == [2, 2, 2]
    assert torch.bincount(labels[many]).tolist() == [6, 6, 6]
    assert set(few.tolist()) < set(many.tolist())
    assert not set(few.tolist()) & set(trained_on.tolist())
    # Each class has 5 new images, so that the sixth is one that was trained on.
    assert len(set(many.tolist()) & set(trained_on.tolist())) == 3
    assert not torch.equal(few, probe_images(labels, 2, seed=2, trained_on=trained_on))
