"""Your own small CNN in timm's registry: two convolutions, flattened, and a linear head."""

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

default_cfgs = generate_default_cfgs({"two_convolutions": {"first_conv": "conv1", "classifier": "head"}})


class TwoConvolutions(nn.Module):
    """Two convolutions, pooling to a fixed size, and a linear head: (B, C, H, W) -> (B, num_classes)."""

    def __init__(self, *, in_chans: int = 3, num_classes: int = 10, width: int = 32, pooled: int = 4) -> None:
        super().__init__()
        self.in_chans, self.num_classes, self.num_features = in_chans, num_classes, 2 * width * pooled**2
        self.conv1 = nn.Conv2d(in_chans, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(pooled)
        self.head = nn.Linear(self.num_features, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images: (B, C, H, W) -> (B, num_classes)."""
        x = torch.relu(self.conv1(images))
        x = torch.relu(self.conv2(x))
        return self.head(self.pool(x).flatten(1))


@register_model
def two_convolutions(pretrained: bool = False, **kwargs: Any) -> TwoConvolutions:
    """Build the model; timm passes `kwargs` to its constructor."""
    return build_model_with_cfg(TwoConvolutions, "two_convolutions", pretrained, **kwargs)
