"""Use a field model as a feature extractor with scikit-learn: pooled features, then logistic regression.

$ python examples/features_for_sklearn.py
"""
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

from typing import Any

import timm
import torch
from sklearn.linear_model import LogisticRegression

import vision
from vision.data import load_source

torch.manual_seed(0)
digits = load_source(vision.DataConfig(source="digits"))
size: Any = {"img_size": 8, "patch_size": 1, "in_chans": 1}
model = timm.create_model("field_cnn", **size, params=60_000, num_classes=0).eval()  # no head


def features(images: vision.data.Images) -> torch.Tensor:
    """Return (N, C): the mean of the tokens after the last block."""
    with torch.no_grad():
        return model(torch.as_tensor(images.pixels) / 127.5 - 1)


classifier = LogisticRegression(max_iter=2000)
classifier.fit(features(digits.train).numpy(), digits.train.labels.numpy())
accuracy = classifier.score(features(digits.test).numpy(), digits.test.labels.numpy())
print(f"{model.num_features} features of random weights, test accuracy {accuracy:.3f}")
