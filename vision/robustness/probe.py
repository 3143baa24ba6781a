"""A few-shot linear probe of trained features: ridge regression on one-hot targets of -1 and 1.

Dosovitskiy et al. (2021), section 4.1: the features are frozen, and the regression has a closed form. They
are standardized. The penalty is chosen by the error of leaving one image out, which has a closed form too.

>>> accuracy = linear_probe(np.eye(4)[[0, 0, 1, 1]], [0, 0, 1, 1], np.eye(4)[:2], [0, 1])
>>> accuracy
1.0
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import RidgeClassifierCV  # pyright: ignore[reportMissingTypeStubs]
from sklearn.pipeline import make_pipeline  # pyright: ignore
from sklearn.preprocessing import StandardScaler  # pyright: ignore[reportMissingTypeStubs]
from torch import Tensor

from vision.robustness.classifier import Classifier

SHOTS = (1, 5, 10, 25)
PENALTIES = 2.0 ** np.arange(-10, 21, 2)
BATCH = 500


def linear_probe(
    features: ArrayLike, labels: ArrayLike, test_features: ArrayLike, test_labels: ArrayLike
) -> float:
    """Return the accuracy on test images of a linear map of features, fitted in closed form.

    Args:
        features: of the images to fit, (N, D).
        labels: their classes (N,).
        test_features: (M, D).
        test_labels: (M,).

    Raises:
        ValueError: the images to fit are of one class.
    """
    classes = np.unique(np.asarray(labels))
    if len(classes) < 2:
        raise ValueError(f"a linear probe needs images of two or more classes, got {len(classes)}")
    # scikit-learn has no types.
    probe = cast(Any, make_pipeline)(StandardScaler(), RidgeClassifierCV(alphas=PENALTIES))
    probe.fit(np.asarray(features), np.asarray(labels))
    return float((probe.predict(np.asarray(test_features)) == np.asarray(test_labels)).mean())


def probe_images(labels: Tensor, shots: int, *, seed: int, trained_on: Tensor) -> Tensor:
    """Return the indices of up to `shots` images of each class, those that were not trained on first.

    The images of fewer shots are among those of more.

    Args:
        labels: of all images, int64 (N,).
        shots: images of each class.
        seed: of the choice.
        trained_on: indices of the images that the model was trained on.
    """
    random = np.random.RandomState(seed)
    order: NDArray[np.int64] = random.permutation(len(labels))
    known = np.isin(order, trained_on.numpy())
    order = np.concatenate([order[~known], order[known]])
    classes = labels.numpy()[order]
    chosen = [order[classes == name][:shots] for name in np.unique(classes)]
    return torch.as_tensor(np.sort(np.concatenate(chosen)))


def features_of(classifier: Classifier, pixels: Tensor) -> NDArray[np.float32]:
    """uint8 (N, C, H, W) -> float32 (N, num_features)."""
    return torch.cat([classifier.features(images) for images in torch.split(pixels, BATCH)]).numpy()


def shots_for(labels: Tensor) -> Sequence[int]:
    """Return the numbers of images per class that a training split has."""
    most = int(torch.bincount(labels).max())
    return [shots for shots in SHOTS if shots <= most]
