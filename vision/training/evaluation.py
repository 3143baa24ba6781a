"""Score a model: accuracy, cross-entropy, and the logits of every image.

>>> batches = [(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))]
>>> evaluate(torch.nn.Linear(2, 2), batches, device=torch.device("cpu")).predictions.shape
torch.Size([4])
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vision.training.devices import autocast
from vision.training.processes import from_all


@dataclass(frozen=True, slots=True)
class Scores:
    """Mean cross-entropy in nats, accuracy in [0, 1], and for each image its class (N,) and logits (N, K)."""

    loss: float
    accuracy: float
    predictions: Tensor
    logits: Tensor


def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    device: torch.device,
    precision: str = "auto",
) -> Scores:
    """Score `model` in eval mode on batches of images (B, C, H, W) and class indices (B,).

    Where several processes train a run, each is given its own part of the images, and gets the scores of all
    of them. The model stays in eval mode.
    """
    model.eval()
    loss, hits = torch.zeros((), device=device), torch.zeros((), device=device)
    outputs: list[Tensor] = []
    with torch.inference_mode(), autocast(precision, device):
        for images, targets in batches:
            logits = model(images).float()
            loss += F.cross_entropy(logits, targets, reduction="sum")
            hits += (logits.argmax(dim=1) == targets).sum()
            outputs.append(logits.cpu())
    losses, hit_counts, logits_of_all = zip(*from_all((float(loss), float(hits), outputs)), strict=True)
    logits = torch.cat([batch for batches in logits_of_all for batch in batches])
    loss, accuracy = sum(losses) / len(logits), sum(hit_counts) / len(logits)
    return Scores(loss, accuracy, logits.argmax(dim=1), logits)
