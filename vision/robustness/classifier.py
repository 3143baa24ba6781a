"""A trained model with the normalization of its own training images.

Models of one sweep were trained on different subsets, so each has its own mean and deviation.

>>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
>>> classifier = Classifier(model, mean=[0.5], std=[0.2])
>>> classifier.logits(torch.zeros(4, 1, 3, 4, dtype=torch.uint8)).shape
torch.Size([4, 5])
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from vision.data.augmentation import Normalize


class Classifier:
    """Maps uint8 images to logits, or to the features before the last layer, in evaluation mode.

    Args:
        model: of timm's contract, for `features`: forward_features, and forward_head with pre_logits.
        mean: of each channel of its training images, in [0, 1].
        std: standard deviation of each channel.
        device: where the model is run.
    """

    def __init__(
        self, model: nn.Module, *, mean: list[float], std: list[float], device: torch.device | str = "cpu"
    ) -> None:
        self.device = torch.device(device)
        self.model: Any = model.eval().to(self.device)
        self._normalize = Normalize(mean, std, device=self.device)

    def with_model(self, model: nn.Module) -> "Classifier":
        """Return another model with the same normalization."""
        other = copy.copy(self)
        other.model = model.eval().to(self.device)
        return other

    def normalized(self, images: Tensor) -> Tensor:
        """uint8 (B, C, H, W) -> float32 (B, C, H, W), as the model takes them, on its device."""
        return self._normalize(images.to(self.device))

    @torch.inference_mode()
    def logits(self, images: Tensor) -> Tensor:
        """uint8 (B, C, H, W) -> float32 (B, num_classes), on the CPU."""
        return self.model(self.normalized(images)).float().cpu()

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """uint8 (B, C, H, W) -> float32 (B, num_features), on the CPU."""
        features = self.model.forward_features(self.normalized(images))
        return self.model.forward_head(features, pre_logits=True).float().cpu()
