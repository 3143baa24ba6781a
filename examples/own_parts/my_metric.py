"""A metric: the mean of the accuracies of the classes, which counts rare classes as much as others."""

import torch
from torch import Tensor


def balanced_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return a number for the logits (N, K) and labels (N,) of all validation or test images."""
    hits = (logits.argmax(dim=1) == labels).double()
    classes = [label for label in range(logits.shape[1]) if (labels == label).any()]
    return float(torch.stack([hits[labels == label].mean() for label in classes]).mean())
